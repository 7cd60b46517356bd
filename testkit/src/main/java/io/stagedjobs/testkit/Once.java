package io.stagedjobs.testkit;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A value that is created at its first use; a failure to create it is final too. */
final class Once<T> {

    private final Supplier<T> maker;
    private @Nullable T value;
    private @Nullable RuntimeException failure;

    Once(Supplier<T> maker) {
        this.maker = maker;
    }

    synchronized T get() {
        if (failure != null) {
            throw new IllegalStateException("failed before, not tried again: " + failure.getMessage(), failure);
        }
        if (value == null) {
            try {
                value = maker.get();
            } catch (RuntimeException e) {
                failure = e;
                throw e;
            }
        }
        return value;
    }
}
