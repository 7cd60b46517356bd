package io.stagedjobs.consumer;

import io.stagedjobs.UnitOfWork;
import io.stagedjobs.Work;
import io.stagedjobs.schema.Schema;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jspecify.annotations.Nullable;

/**
 * Reads jobs from Kafka and handles each once, those of a key in their order. A job's handler runs in a unit of work
 * that also records the job in the {@link Inbox}: its effects in that database, the jobs that it stages and the record
 * commit together, or not at all.
 *
 * <pre>{@code
 * try (JobConsumer mailer = JobConsumer.named("mailer")
 *         .topics("users")
 *         .on("user.created", UserCreated.class, (work, job) -> mails.write(work, job.payload()))
 *         .database(UnitOfWork.on(dataSource))
 *         .kafka(Map.of("bootstrap.servers", "localhost:9092"))
 *         .start()) {
 *     …
 * }
 * }</pre>
 *
 * <p><b>Failures</b>: nothing is skipped. A job whose handler throws is tried again after a while; later jobs of its
 * key wait, others go on. A record that is no job counts as a job that fails. Jobs whose name has no handler are
 * ignored.
 *
 * <p><b>Effects outside the database</b> may happen more than once: hand on {@link Job#id()} as idempotency key, and
 * call slow services before the unit, or in a job of their own.
 *
 * <p><b>Threads</b>: one thread polls, and {@code workers} threads run handlers. {@link #close} may be called from any
 * thread but those.
 */
public final class JobConsumer implements AutoCloseable {

    private static final Window.Limits LIMITS = new Window.Limits(1_000, 64 << 20);
    private static final int CLOSE_SECONDS_MAX = 10;
    private static final Duration STORE_MAX = Duration.ofSeconds(2);

    /** Settings of Kafka's consumer that the promise rests on. */
    private static final Map<String, Object> FIXED = Map.of(
            "isolation.level", "read_committed",
            "auto.offset.reset", "earliest",
            "enable.auto.commit", "false",
            "allow.auto.create.topics", "false");

    private final Admin admin;
    private final Poller poller;
    private final Thread pollThread;
    private final Keeper keeper;
    private final Thread keeperThread;
    private final List<Worker> workers;
    private final List<Thread> workerThreads;
    private final Window<Received> window;

    private JobConsumer(Builder of) {
        window = new Window<>(LIMITS, System::nanoTime);
        admin = of.admin();
        keeper = new Keeper(of.name, new Marks(of.name, of.requireUnit().named(of.name), of.schema), admin, window);
        poller = new Poller(of.name, of::client, Set.copyOf(of.topics), window, keeper);
        workers = IntStream.range(0, of.workers)
                .mapToObj(i -> new Worker(
                        Inbox.named(of.name, of.schema),
                        of.requireUnit().named(of.name),
                        of.handlers,
                        of.retry,
                        of.jobsPerUnit,
                        window))
                .toList();
        pollThread = new Thread(poller, of.name + " reader");
        keeperThread = new Thread(keeper, of.name + " keeper");
        workerThreads = new ArrayList<>();
        for (int i = 0; i < workers.size(); i++) {
            workerThreads.add(new Thread(workers.get(i), of.name + " worker " + i));
        }
    }

    /**
     * A consumer to be set up.
     *
     * @param name the group id in Kafka and the name of the inbox; stable, because under another name every job counts
     *     as new
     */
    public static Builder named(String name) {
        return new Builder(name);
    }

    /**
     * Stops: what runs may finish within {@value #CLOSE_SECONDS_MAX} seconds; what is finished is committed to Kafka.
     * What is not comes again after the next start.
     */
    @Override
    public void close() {
        workers.forEach(Worker::stop);
        window.close();
        join(workerThreads);
        keeper.storeWithin(STORE_MAX);
        poller.stop();
        join(List.of(pollThread));
        keeper.stop();
        join(List.of(keeperThread));
        admin.close(Duration.ZERO);
    }

    /**
     * The partitions that are not read until a person has decided what is to be handled again, each with the reason;
     * the log has it too. Restart the consumer afterwards.
     */
    public Map<TopicPartition, String> halted() {
        return keeper.halted();
    }

    private static void join(List<Thread> threads) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(CLOSE_SECONDS_MAX);
        try {
            for (Thread thread : threads) {
                thread.join(Math.max(1, (deadline - System.nanoTime()) / 1_000_000));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void start() {
        keeperThread.start();
        pollThread.start();
        workerThreads.forEach(Thread::start);
    }

    /** Handles a job whose payload is an object. */
    @FunctionalInterface
    public interface Handler<T extends @Nullable Object> {
        /**
         * @param work the open unit of work; a conflict may run the handler again from the start
         * @throws Exception if the job has to be tried again later; the unit is rolled back
         */
        void handle(Work work, Job<T> job) throws Exception;
    }

    /** Sets up a {@link JobConsumer}. Not thread-safe. */
    public static final class Builder {
        private final String name;
        private final Set<String> topics = new LinkedHashSet<>();
        private Handlers handlers = Handlers.none();
        private @Nullable UnitOfWork unit;
        private Schema schema = Schema.PUBLIC;
        private Map<String, Object> kafka = Map.of();
        private int workers = 8;
        private int jobsPerUnit = 1;
        private Retry retry = Retry.DEFAULT;

        private Builder(String name) {
            Inbox.named(name); // refuses what is no name
            this.name = name;
        }

        /** The topics to read. */
        public Builder topics(String... topics) {
            this.topics.addAll(List.of(topics));
            return this;
        }

        /** Handles the jobs of this name, with their JSON payload as an object of that type. */
        public <T> Builder on(String name, Class<T> type, Handler<T> handler) {
            handlers = handlers.with(name, (work, job) -> handler.handle(work, job.as(type)));
            return this;
        }

        /** Handles the jobs of this name, with their payload as it is; null for a tombstone. */
        public Builder onBytes(String name, Handler<byte @Nullable []> handler) {
            handlers = handlers.with(name, handler);
            return this;
        }

        /** Where the effects and the inbox are, and how its units are run. */
        public Builder database(UnitOfWork unit) {
            this.unit = unit;
            return this;
        }

        /** The schema of the inbox, instead of {@code public}. */
        public Builder schema(Schema schema) {
            this.schema = schema;
            return this;
        }

        /**
         * Settings of Kafka's consumer; {@code bootstrap.servers} at least.
         *
         * @throws IllegalArgumentException if one of them is not free, because the promise rests on it
         */
        public Builder kafka(Map<String, Object> settings) {
            settings.forEach((setting, value) -> {
                Object fixed = setting.equals("group.id") ? name : FIXED.get(setting);
                if (fixed != null && !fixed.toString().equals(String.valueOf(value))) {
                    throw new IllegalArgumentException("the setting " + setting + " of consumer \"" + name + "\" is "
                            + fixed + " and cannot be changed: each job's effect would not happen once any more");
                }
            });
            this.kafka = Map.copyOf(settings);
            return this;
        }

        /** The number of jobs that are handled at the same time, 8 by default. Each uses a connection. */
        public Builder workers(int workers) {
            requirePositive("workers", workers);
            this.workers = workers;
            return this;
        }

        /** The most jobs that share a transaction, 1 by default. */
        public Builder jobsPerUnit(int jobsPerUnit) {
            requirePositive("jobsPerUnit", jobsPerUnit);
            this.jobsPerUnit = jobsPerUnit;
            return this;
        }

        private static void requirePositive(String what, int value) {
            if (value < 1) {
                throw new IllegalArgumentException(what + " must be at least 1, not " + value);
            }
        }

        /** How long a job waits after a failure, {@link Retry#DEFAULT} by default. */
        public Builder retry(Retry retry) {
            this.retry = retry;
            return this;
        }

        /**
         * Starts to read and to handle.
         *
         * @throws IllegalStateException if topics, handlers, database or brokers are missing
         * @throws IllegalArgumentException if Kafka's client refuses its settings
         */
        public JobConsumer start() {
            if (topics.isEmpty() || handlers.names().isEmpty() || !kafka.containsKey("bootstrap.servers")) {
                throw new IllegalStateException("consumer \"" + name + "\" needs topics, a handler, a database and"
                        + " kafka(…) with bootstrap.servers before it starts");
            }
            requireValidSettings();
            JobConsumer consumer = new JobConsumer(this);
            consumer.start();
            return consumer;
        }

        private void requireValidSettings() {
            try {
                client().close();
            } catch (KafkaException e) {
                Throwable first = e;
                while (first.getCause() != null) {
                    first = first.getCause();
                }
                throw new IllegalArgumentException(
                        "consumer \"" + name + "\" cannot start: Kafka's client refuses its settings ("
                                + first.getMessage() + "). Nothing was read.",
                        e);
            }
        }

        private UnitOfWork requireUnit() {
            if (unit == null) {
                throw new IllegalStateException("consumer \"" + name + "\" needs a database before it starts");
            }
            return unit;
        }

        private Admin admin() {
            Map<String, Object> known = new HashMap<>(kafka);
            known.keySet().retainAll(AdminClientConfig.configNames());
            return Admin.create(known);
        }

        private KafkaConsumer<byte @Nullable [], byte @Nullable []> client() {
            Map<String, Object> all = new HashMap<>(kafka);
            if (!"consumer".equals(kafka.get("group.protocol"))) {
                all.putIfAbsent(
                        "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
            }
            all.putAll(FIXED);
            all.put("group.id", name);
            return new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        }
    }
}
