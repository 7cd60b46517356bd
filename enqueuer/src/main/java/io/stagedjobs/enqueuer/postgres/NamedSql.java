package io.stagedjobs.enqueuer.postgres;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.schema.Schema;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.ResultQuery;

/**
 * The statement of one {@code .sql} resource beside this class. The files use the notation of psql: loading replaces
 * {@code :"schema"} and the relations of {@link #RELATIONS}; every other name ({@code :lane}, {@code :'era'}) is a
 * parameter. So you can paste a file into psql, also after {@code EXPLAIN}, once you have set the names with {@code
 * \set}.
 *
 * @param sql the text for JDBC and jOOQ, one line without comments
 * @param names the parameters' names, in their order; a name may occur several times
 */
record NamedSql(String sql, List<String> names) {

    private static final Pattern COMMENT = Pattern.compile("\\s*--.*");
    private static final Pattern NAME = Pattern.compile("(?<!:):(?:\"([a-z_]+)\"|'([a-z_]+)'|([a-z_]+))");

    /**
     * Names that stand for a relation, as text: each becomes a constant, so that PostgreSQL resolves it once per plan.
     */
    private static final Map<String, String> RELATIONS = Map.of(
            "jobs_table", "staged_jobs",
            "parked_table", "parked_jobs",
            "id_sequence", "staged_jobs_id_seq");

    private record Key(String schema, String file) {}

    private static final Map<Key, NamedSql> LOADED = new ConcurrentHashMap<>();

    static NamedSql load(Schema schema, String file) {
        return LOADED.computeIfAbsent(new Key(schema.name(), file), key -> parse(schema, file));
    }

    private static NamedSql parse(Schema schema, String file) {
        String text = read(file + ".sql")
                .lines()
                .filter(line -> !COMMENT.matcher(line).matches())
                .map(String::strip)
                .collect(Collectors.joining(" "))
                .replaceFirst(";$", "");
        List<String> names = new ArrayList<>();
        String sql = NAME.matcher(text).replaceAll(found -> Matcher.quoteReplacement(put(schema, found, names)));
        return new NamedSql(sql, List.copyOf(names));
    }

    private static String put(Schema schema, MatchResult found, List<String> names) {
        if (found.group(1) != null) {
            return schema.quotedName();
        }
        String name = found.group(2) != null ? found.group(2) : found.group(3);
        String relation = RELATIONS.get(name);
        if (relation != null) {
            return "'" + schema.qualified(relation).replace("'", "''") + "'";
        }
        names.add(name);
        return "?";
    }

    static String read(String file) {
        try (InputStream in = Objects.requireNonNull(NamedSql.class.getResourceAsStream(file), file)) {
            return new String(in.readAllBytes(), UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Combines both in one message to the server; a name means the same in both. */
    NamedSql then(NamedSql next) {
        return new NamedSql(
                sql + "; " + next.sql,
                Stream.concat(names.stream(), next.names.stream()).toList());
    }

    /** The values in the order of the parameters. */
    Object[] bindings(Map<String, ?> values) {
        Object[] bindings = new Object[names.size()];
        for (int i = 0; i < bindings.length; i++) {
            bindings[i] = Objects.requireNonNull(values.get(names.get(i)), names.get(i));
        }
        return bindings;
    }

    ResultQuery<Record> query(DSLContext dsl, Map<String, ?> values) {
        return dsl.resultQuery(sql, bindings(values));
    }

    /** @return the number of changed rows */
    int execute(DSLContext dsl, Map<String, ?> values) {
        return dsl.execute(sql, bindings(values));
    }
}
