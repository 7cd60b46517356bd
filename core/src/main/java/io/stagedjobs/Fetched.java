package io.stagedjobs;

import org.jspecify.annotations.Nullable;

/**
 * What was fetched before a unit of work: the expensive part is done, no connection was held for it, and {@link #commit}
 * runs the cheap part in one short transaction.
 *
 * <pre>{@code
 * unit.fetch(() -> directory.lookUp(email))
 *         .check(Profile::requireActive)
 *         .commit((work, profile) -> {
 *             work.dsl().execute("insert into users (email, name) values (?, ?) on conflict do nothing", email, profile.name());
 *             work.stage(userCreated(email));
 *         });
 * }</pre>
 *
 * <p><b>Retry</b>: a conflict repeats the block given to {@code commit}, each time with the same value; what was fetched is
 * not fetched again. The block must therefore not change the value.
 *
 * <p><b>Failure</b>: until {@code commit} is called there is no transaction. A fetch that failed, or a value that {@link
 * #check} refused, has left nothing behind.
 *
 * @param <F> what was fetched
 */
public final class Fetched<F extends @Nullable Object> {

    private final UnitOfWork unit;
    private final F value;

    /** Throws if the value is not fit to be committed. */
    @FunctionalInterface
    public interface Check<F extends @Nullable Object, E extends Exception> {
        void check(F fetched) throws E;
    }

    /** As {@link UnitOfWork.Block}, with what was fetched. */
    @FunctionalInterface
    public interface Block<F extends @Nullable Object, E extends Exception> {
        void run(Work work, F fetched) throws E;
    }

    /** As {@link UnitOfWork.ResultBlock}, with what was fetched. */
    @FunctionalInterface
    public interface ResultBlock<F extends @Nullable Object, T extends @Nullable Object, E extends Exception> {
        T run(Work work, F fetched) throws E;
    }

    Fetched(UnitOfWork unit, F value) {
        this.unit = unit;
        this.value = value;
    }

    public F value() {
        return value;
    }

    /**
     * Looks at the value before there is a transaction.
     *
     * @throws E what the check threw; nothing was stored
     */
    public <E extends Exception> Fetched<F> check(Check<? super F, E> check) throws E {
        check.check(value);
        return this;
    }

    /** As {@link #commitResult}, without a result. */
    public <E extends Exception> void commit(Block<? super F, E> block) throws E {
        unit.run(work -> block.run(work, value));
    }

    /** Runs the block as a unit of work, with all that {@link UnitOfWork#call} says. */
    public <T extends @Nullable Object, E extends Exception> T commitResult(ResultBlock<? super F, T, E> block)
            throws E {
        return unit.call(work -> block.run(work, value));
    }
}
