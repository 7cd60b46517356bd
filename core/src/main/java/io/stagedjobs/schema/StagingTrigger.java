package io.stagedjobs.schema;

import org.jooq.DSLContext;
import org.jooq.Record;

/**
 * The arguments of the trigger through which every staged job passes.
 *
 * @param lanes the number of lanes
 * @param payloadBytesMax the largest payload
 * @param unlimitedUpToId the last id to which that limit does not apply
 */
record StagingTrigger(int lanes, int payloadBytesMax, long unlimitedUpToId) {

    private static final String NAME = "staged_jobs_before_insert";

    /** @throws SchemaException if the trigger is missing or does not fire for every row */
    static StagingTrigger read(DSLContext dsl, Schema schema) {
        Record found = dsl.fetchOne(
                "SELECT tgenabled = 'A', string_to_array(encode(tgargs, 'escape'), '\\000') FROM pg_catalog.pg_trigger"
                        + " WHERE tgrelid = to_regclass(?) AND tgname = ? AND NOT tgisinternal",
                schema.qualified("staged_jobs"),
                NAME);
        if (found == null || !found.get(0, boolean.class)) {
            throw new SchemaException("cannot work with schema \"" + schema.name() + "\": trigger " + NAME
                    + " of table staged_jobs " + (found == null ? "is missing" : "is not ENABLE ALWAYS")
                    + ", so that jobs would get no lane. Nothing was changed. "
                    + (found == null
                            ? "Restore the table's definition from a migrated database."
                            : "As the owner of the table: ALTER TABLE " + schema.qualified("staged_jobs")
                                    + " ENABLE ALWAYS TRIGGER " + NAME + "."));
        }
        String[] arguments = found.get(1, String[].class);
        return new StagingTrigger(
                Integer.parseInt(arguments[0]), Integer.parseInt(arguments[1]), Long.parseLong(arguments[2]));
    }

    /** Replaces the existing trigger; the caller has locked writers out. */
    void replace(DSLContext dsl, Schema schema) {
        String table = schema.qualified("staged_jobs");
        dsl.execute("CREATE OR REPLACE TRIGGER " + NAME + " BEFORE INSERT ON " + table
                + " FOR EACH ROW EXECUTE FUNCTION " + schema.qualified(NAME) + "(" + lanes + ", " + payloadBytesMax
                + ", " + unlimitedUpToId + ")");
        // Replacing a trigger resets this.
        dsl.execute("ALTER TABLE " + table + " ENABLE ALWAYS TRIGGER " + NAME);
    }
}
