package io.stagedjobs.daemon.admin;

import static io.stagedjobs.daemon.admin.Answers.refusal;

import io.javalin.http.Context;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Who may ask for what. */
final class Access {

    private static final String BEARER = "Bearer ";

    /** What a client on this machine calls it. */
    private static final Pattern LOOPBACK =
            Pattern.compile("(.+\\.)?localhost|127(\\.[0-9]{1,3}){3}|\\[::1]", Pattern.CASE_INSENSITIVE);

    /** How a browser says that a page of this port asks, or a person. */
    private static final Set<String> OWN_SITES = Set.of("same-origin", "none");

    /** What a caller may do. */
    enum Caller {
        READER("the read-only token"),
        OPERATOR("the operator's token"),
        /** Where no token is set, whoever can reach the port. */
        ANYBODY_HERE("no token");

        final String words;

        Caller(String words) {
            this.words = words;
        }

        boolean mayChange() {
            return this != READER;
        }

        /** What is in a job is not for everybody on this machine, even where everybody may steer. */
        boolean maySeePayloads() {
            return this == OPERATOR;
        }
    }

    private final Binding binding;
    private final boolean loopback;

    Access(Binding binding) {
        this.binding = binding;
        this.loopback = binding.isLoopback();
    }

    /**
     * A page elsewhere may have its own name resolved to this address, and would then read our answers in the
     * operator's browser. Its requests carry that name. Nobody reaches a port of the loopback interface by another name
     * than this machine's own.
     */
    void requireOwnName(Context context) {
        String host = String.valueOf(context.host()).replaceFirst(":[0-9]*$", "");
        if (loopback
                && !host.equalsIgnoreCase(binding.host())
                && !LOOPBACK.matcher(host).matches()) {
            throw refusal(421, "this port answers requests to localhost, and no other name");
        }
    }

    /**
     * A page elsewhere can make the operator's browser send requests here, though it cannot read the answers. Browsers
     * say where such a request comes from; what is no browser says nothing.
     */
    void requireOwnPage(Context context) {
        String origin = context.header("Origin");
        String site = context.header("Sec-Fetch-Site");
        if ((origin != null && !isOwn(origin, context.host())) || (site != null && !OWN_SITES.contains(site))) {
            throw refusal(403, "a page elsewhere made this request; only this port's own page may");
        }
    }

    /** A proxy may speak TLS for us, so that the scheme may be either. */
    private static boolean isOwn(String origin, @Nullable String host) {
        String given = origin.toLowerCase(Locale.ROOT);
        String own = String.valueOf(host).toLowerCase(Locale.ROOT);
        return given.equals("http://" + own) || given.equals("https://" + own);
    }

    Caller requireReader(Context context) {
        if (!binding.tokens().required()) {
            return Caller.ANYBODY_HERE;
        }
        String given = context.header("Authorization");
        if (given != null && given.regionMatches(true, 0, BEARER, 0, BEARER.length())) { // whatever case: RFC 9110
            String token = given.substring(BEARER.length()).trim();
            if (binding.tokens().isOperator(token)) {
                return Caller.OPERATOR;
            }
            if (binding.tokens().isReadOnly(token)) {
                return Caller.READER;
            }
        }
        context.header("WWW-Authenticate", "Bearer");
        throw refusal(401, "send the admin token as Authorization: Bearer …");
    }

    Caller requireOperator(Context context) {
        Caller caller = requireReader(context);
        if (!caller.mayChange()) {
            throw refusal(403, "the read-only token does not permit this; send the operator's (setting admin.token)");
        }
        return caller;
    }

    void requireOperatorsToken(Context context) {
        if (!requireReader(context).maySeePayloads()) {
            throw refusal(403, "payloads are shown to the operator's token only (setting admin.token)");
        }
    }
}
