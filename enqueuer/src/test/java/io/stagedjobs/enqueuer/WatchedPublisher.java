package io.stagedjobs.enqueuer;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;

/** What a test does when a batch is about to be published, and after it was. */
abstract class WatchedPublisher implements Publisher {
    private final Publisher real;

    WatchedPublisher(Publisher real) {
        this.real = real;
    }

    void opening() throws Exception {}

    void publishing(Batch batch) throws Exception {}

    Outcome published(Outcome outcome) throws Exception {
        return outcome;
    }

    @Override
    public void check(int lanes) {
        real.check(lanes);
    }

    @Override
    public Optional<Progress> peek(int lane) {
        return real.peek(lane);
    }

    @Override
    public Opened open(int lane, long generation, int channel) {
        return unchecked(() -> {
            opening();
            if (!(real.open(lane, generation, channel) instanceof Session session)) {
                throw new IllegalStateException("no test of these has a broker that dies");
            }
            return new Session() {
                @Override
                public Optional<Progress> progress() {
                    return session.progress();
                }

                @Override
                public Outcome publish(Batch batch) {
                    return unchecked(() -> {
                        publishing(batch);
                        return published(session.publish(batch));
                    });
                }

                @Override
                public void close() {
                    session.close();
                }
            };
        });
    }

    @Override
    public Map<String, Refusal> refused(Set<String> topics) {
        return real.refused(topics);
    }

    @Override
    public void close() {}

    private static <T> T unchecked(Callable<T> action) {
        try {
            return action.call();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }
}
