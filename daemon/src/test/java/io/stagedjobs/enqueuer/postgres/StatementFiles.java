package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.schema.Schema;
import java.util.Arrays;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** By what tests outside this package know a statement: the file that it is in. */
public final class StatementFiles {

    private StatementFiles() {}

    /** Finds the statement of a file, in schema public, as the driver is given it and as it goes to the server. */
    public static Pattern pattern(String file) {
        String sql = NamedSql.load(Schema.PUBLIC, file).sql();
        return Pattern.compile(
                Arrays.stream(sql.split("\\?", -1)).map(Pattern::quote).collect(Collectors.joining("(\\?|\\$\\d+)")));
    }
}
