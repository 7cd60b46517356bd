package io.stagedjobs.sample;

import org.jooq.DSLContext;

/** Makes a step of the sample's transactions fail, by a trigger on what the step writes. */
final class Faults {

    /** The step that is not a statement. */
    static final String COMMIT = "COMMIT";

    private final DSLContext dsl;

    /** What happens at the step. */
    enum Fault {
        ERROR("RAISE EXCEPTION 'secret of the database';"),
        CONFLICT("RAISE EXCEPTION 'conflict' USING ERRCODE = 'serialization_failure';"),
        LOST_CONNECTION("PERFORM pg_terminate_backend(pg_backend_pid());");

        private final String sql;

        Fault(String sql) {
            this.sql = sql;
        }
    }

    Faults(DSLContext dsl) {
        this.dsl = dsl;
    }

    /**
     * The first so many times that a transaction comes to the step, this happens.
     *
     * @param step for instance {@code INSERT ON users}, or {@link #COMMIT} of a transaction that stages a job
     */
    void at(String step, Fault fault, int times) {
        // A sequence keeps what a rolled-back transaction drew.
        dsl.execute("CREATE SEQUENCE fault_attempts");
        dsl.execute("CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                + " IF nextval('fault_attempts') <= " + times + " THEN " + fault.sql + " END IF;"
                + " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$");
        if (step.equals(COMMIT)) {
            dsl.execute("CREATE CONSTRAINT TRIGGER fault AFTER INSERT ON staged_jobs DEFERRABLE INITIALLY DEFERRED"
                    + " FOR EACH ROW EXECUTE FUNCTION fault()");
        } else {
            dsl.execute("CREATE TRIGGER fault BEFORE " + step + " FOR EACH ROW EXECUTE FUNCTION fault()");
        }
    }

    /** How often a transaction came to the step. */
    int attempts() {
        return dsl.fetchSingle("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM fault_attempts")
                .into(int.class);
    }

    /** All goes well again. */
    void end() {
        dsl.execute("DROP FUNCTION IF EXISTS fault CASCADE");
        dsl.execute("DROP SEQUENCE IF EXISTS fault_attempts");
    }
}
