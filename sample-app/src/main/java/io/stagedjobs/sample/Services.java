package io.stagedjobs.sample;

import io.stagedjobs.UnitOfWork;
import io.stagedjobs.idempotency.IdempotencyKeys;
import javax.sql.DataSource;

/** The sample's operations, independent of HTTP. */
record Services(Users users, Orders orders, IdempotencyKeys keys, Contracts contracts, Aggregations aggregations) {

    /** Services on one database. */
    static Services on(DataSource dataSource, UnitOfWork unit, ContractSource source, Topics topics) {
        Users users = new Users(dataSource, unit, topics);
        Contracts contracts = new Contracts(dataSource, unit, source, topics);
        return new Services(
                users,
                new Orders(dataSource, unit, users, topics),
                IdempotencyKeys.on(unit.named("complete-order")),
                contracts,
                new Aggregations(contracts, unit, topics));
    }
}
