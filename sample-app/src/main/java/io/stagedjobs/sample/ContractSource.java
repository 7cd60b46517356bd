package io.stagedjobs.sample;

import com.fasterxml.jackson.core.type.TypeReference;
import io.javalin.http.BadRequestResponse;
import io.javalin.http.GatewayTimeoutResponse;
import io.javalin.http.HttpResponseException;
import io.javalin.http.HttpStatus;
import io.javalin.http.InternalServerErrorResponse;
import io.stagedjobs.TraceContext;
import io.stagedjobs.sample.Contract.Header;
import io.stagedjobs.sample.Contract.Item;
import io.stagedjobs.sample.Contract.Versioned;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches contracts from the other service: a header, then its items. If it knows an earlier answer, it asks only for
 * changes.
 *
 * <p><b>Transaction</b>: none may be open, because this is slow. <b>Threads</b>: thread-safe. <b>Trace</b>: it sends
 * the current one. <b>Failure</b>: {@link BadRequestResponse} if header or items are missing or not the expected JSON,
 * {@link GatewayTimeoutResponse} if an answer does not come in time, and {@link InternalServerErrorResponse} for any
 * other failure.
 */
final class ContractSource {

    private static final String KEPT =
            "Nothing was stored, what was stored before stays. Send the same request again later.";

    private static final Logger LOG = LoggerFactory.getLogger(ContractSource.class);

    private final HttpClient http = HttpClient.newHttpClient();
    private final URI base;
    private final Duration timeout;

    /**
     * A source at an address.
     *
     * @param base scheme, host and port
     * @param timeout how long to wait for each of the two answers, from the connection to the last byte
     */
    ContractSource(URI base, Duration timeout) {
        this.base = base;
        this.timeout = timeout;
    }

    /** @param known the last fetched contract, whose parts need not be sent again; null if there is none */
    Contract fetch(String id, @Nullable Contract known) {
        Versioned<Header> header =
                ask(id, "header", "", known == null ? null : known.header(), new TypeReference<Header>() {});
        Versioned<List<Item>> items = ask(
                id,
                "list of items",
                "/items",
                known == null ? null : known.items(),
                new TypeReference<List<Item>>() {});
        // Sorted by position, as they are stored: their order in the answer means nothing.
        List<Item> sorted = items.value().stream()
                .sorted(Comparator.nullsFirst(Comparator.comparingInt(Item::position)))
                .toList();
        return new Contract(id, header, new Versioned<>(sorted, items.etag()));
    }

    private <T> Versioned<T> ask(
            String id, String part, String path, @Nullable Versioned<T> known, TypeReference<T> type) {
        HttpRequest.Builder request = HttpRequest.newBuilder(base.resolve("/contracts/" + id + path));
        TraceContext.installed().headers().forEach(request::setHeader);
        if (known != null && known.etag() != null) {
            request.setHeader("If-None-Match", known.etag());
        }
        HttpResponse<byte[]> answer = send(id, part, request.build());
        int status = answer.statusCode();
        if (status == HttpStatus.NOT_MODIFIED.getCode() && known != null) {
            return known;
        }
        if (status == HttpStatus.NOT_FOUND.getCode()) {
            throw Contract.unfit(id, "there is no " + part);
        }
        if (status == HttpStatus.GATEWAY_TIMEOUT.getCode()) {
            throw timedOut(id, part);
        }
        if (status != HttpStatus.OK.getCode()) {
            throw failed(id, part, "answered " + status, null);
        }
        try {
            @Nullable T value = Json.SERVICES.readValue(answer.body(), type);
            if (value != null) {
                return new Versioned<>(
                        value, answer.headers().firstValue("ETag").orElse(null));
            }
        } catch (IOException e) {
            LOG.info("Contract {}: the {} is no such JSON: {}", id, part, e.getMessage());
        }
        throw Contract.unfit(id, "the " + part + " is not the JSON that was expected");
    }

    /** The client's own time-out ends with the answer's first line; this one covers the body too. */
    private HttpResponse<byte[]> send(String id, String part, HttpRequest request) {
        CompletableFuture<HttpResponse<byte[]>> answer = http.sendAsync(request, BodyHandlers.ofByteArray());
        try {
            return answer.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw timedOut(id, part);
        } catch (ExecutionException e) {
            throw failed(id, part, "could not be asked", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failed(id, part, "was not waited for, since this service stops", e);
        } finally {
            answer.cancel(true);
        }
    }

    private HttpResponseException timedOut(String id, String part) {
        return new GatewayTimeoutResponse("Could not aggregate contract " + id
                + ": the service that has the contracts did not send the " + part + " within " + timeout.toMillis()
                + " ms. " + KEPT);
    }

    private static HttpResponseException failed(String id, String part, String what, @Nullable Throwable cause) {
        LOG.warn("Contract {}: the service that has the contracts {} for the {}.", id, what, part, cause);
        return new InternalServerErrorResponse("Could not aggregate contract " + id
                + ": the service that has the contracts " + what + " for the " + part + ". " + KEPT);
    }
}
