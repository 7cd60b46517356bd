package io.stagedjobs.sample;

import io.stagedjobs.Isolation;
import io.stagedjobs.UnitOfWork;
import javax.sql.DataSource;

/** The sample's units of work: serializable, with many retries after conflicts. */
final class Units {

    /**
     * Serializable units that look up and insert at the same place of one index conflict with each other even if they
     * concern different users; while there are few users, that is all of them. A pause follows each conflict, so that
     * this many attempts mean trouble that lasts for seconds.
     */
    static final int ATTEMPTS_MAX = 20;

    private Units() {}

    /** The base of all other units. It retries unique violations, because each block looks up before it inserts. */
    static UnitOfWork on(DataSource dataSource) {
        return UnitOfWork.on(dataSource)
                .isolation(Isolation.SERIALIZABLE)
                .attemptsMax(ATTEMPTS_MAX)
                .retryUniqueViolations();
    }
}
