package io.stagedjobs.enqueuer;

import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * A protocol that is broken on purpose: the simulator has to find out. Each is a model that does one thing otherwise,
 * at the port to which that belongs.
 */
enum Flaw {
    NONE,

    /** The publisher answers when the records are acknowledged, with Kafka's commit still on its way. */
    DELETES_BEFORE_KAFKAS_COMMIT_IS_KNOWN {
        @Override
        ModelBroker broker(World world, Ledger ledger, ModelStore store, int lanes) {
            return new ModelBroker(world, ledger, store, lanes) {
                @Override
                boolean commit(Transaction transaction) {
                    late.add(transaction);
                    return true;
                }

                @Override
                boolean endBefore(Transaction last) {
                    if (last.state == State.OPEN) { // a producer's transactions come one after the other
                        late.remove(last);
                        decide(last);
                    }
                    return super.endBefore(last);
                }
            };
        }
    },

    /** A new owner writes down the batch that only Kafka knew, but does not look for its rows. */
    SKIPS_THE_RECONCILE {
        @Override
        ModelStore.Transaction transaction(ModelStore store, ModelStore.Session session) {
            return store.new Transaction(session) {
                @Override
                public List<Row> present(Collection<Long> ids) {
                    return super.present(List.of());
                }
            };
        }
    },

    /** Nobody waits for the lane's lock, and rows that another transaction is deleting are passed over. */
    SKIPS_LOCKED_ROWS {
        @Override
        ModelStore store(World world, Ledger ledger, int lanes) {
            return new ModelStore(world, ledger, lanes) {
                @Override
                void awaitLock(Session session) {
                    grant(session);
                }

                private boolean changesElsewhere(Session session, Job job) {
                    return open.stream()
                            .anyMatch(other ->
                                    other != session && other.lane == session.lane && other.rows.containsKey(job.id()));
                }

                @Override
                Transaction transaction(Session session) {
                    return new Transaction(session) {
                        @Override
                        List<Job> toDelete(Collection<Row> asked) {
                            return super.toDelete(asked).stream()
                                    .filter(job -> !changesElsewhere(session, job))
                                    .toList();
                        }
                    };
                }
            };
        }
    },

    /** The progress is understood as "everything up to the highest id". */
    TAKES_THE_HIGHEST_ID_FOR_PROGRESS {
        @Override
        ModelStore.Transaction transaction(ModelStore store, ModelStore.Session session) {
            return store.new Transaction(session) {
                @Override
                public List<Row> present(Collection<Long> ids) {
                    Set<Long> wanted = new TreeSet<>(ids);
                    if (!ids.isEmpty()) {
                        wanted.addAll(rows().headMap(Collections.max(ids)).keySet());
                    }
                    return super.present(wanted);
                }
            };
        }
    },

    /** A transaction locks the lane and does not look who owns it now. */
    DOES_NOT_CHECK_THE_GENERATION {
        @Override
        ModelStore store(World world, Ledger ledger, int lanes) {
            return new ModelStore(world, ledger, lanes) {
                @Override
                boolean isOf(Lane lane, long generation) {
                    return true;
                }
            };
        }
    },

    /** The next batch is read while this one is under way, from where this one ends. */
    READS_AHEAD_FROM_WHERE_THE_BATCH_ENDS {
        @Override
        ModelStore store(World world, Ledger ledger, int lanes) {
            return new ModelStore(world, ledger, lanes) {
                @Override
                LaneTransaction.Read selectAhead(Lane lane, ReadCriteria criteria, List<Job> without) {
                    long last = without.get(without.size() - 1).id();
                    ReadCriteria behind =
                            new ReadCriteria(last, criteria.exceptions(), criteria.blocked(), criteria.limits());
                    return super.selectAhead(lane, behind, without);
                }
            };
        }
    },

    /** The next batch is read while this one is under way, and does not leave this one out. */
    READS_THE_BATCH_IN_HAND_AHEAD {
        @Override
        ModelStore store(World world, Ledger ledger, int lanes) {
            return new ModelStore(world, ledger, lanes) {
                @Override
                LaneTransaction.Read selectAhead(Lane lane, ReadCriteria criteria, List<Job> without) {
                    return super.selectAhead(lane, criteria, List.of());
                }
            };
        }
    },

    /** What follows of a parked job's key is read like anything else. */
    DOES_NOT_LEAVE_FOLLOWERS_OUT {
        @Override
        ModelStore.Transaction transaction(ModelStore store, ModelStore.Session session) {
            return store.new Transaction(session) {
                @Override
                Read select(ReadCriteria asked) {
                    Blocked blocked = asked.blocked();
                    return super.select(new ReadCriteria(
                            asked.after(),
                            asked.exceptions(),
                            new Blocked(blocked.topics(), blocked.from(), false),
                            asked.limits()));
                }
            };
        }
    },

    /** A new owner's producer starts beside the earlier one. */
    DOES_NOT_FENCE {
        @Override
        ModelBroker broker(World world, Ledger ledger, ModelStore store, int lanes) {
            return new ModelBroker(world, ledger, store, lanes) {
                @Override
                boolean fence(World.Caller by, Id id) {
                    return true;
                }
            };
        }
    },

    /** Deletes all rows up to the last one that was published. */
    DELETES_UP_TO_THE_LAST_ID {
        @Override
        ModelStore.Transaction transaction(ModelStore store, ModelStore.Session session) {
            return store.new Transaction(session) {
                @Override
                List<Job> toDelete(Collection<Row> asked) {
                    List<Job> published = super.toDelete(asked);
                    return published.isEmpty()
                            ? published
                            : List.copyOf(rows().headMap(
                                            published.get(published.size() - 1).id(), true)
                                    .values());
                }
            };
        }
    },

    /** Reads rows of transactions that a crash of PostgreSQL may take back. */
    DOES_NOT_FLUSH_THE_LOG {
        @Override
        ModelStore store(World world, Ledger ledger, int lanes) {
            return new ModelStore(world, ledger, lanes) {
                @Override
                void flushRead() {}
            };
        }
    },

    /** Reads begin above an id as soon as it was drawn. */
    FLOOR_DOES_NOT_WAIT_FOR_WRITERS {
        @Override
        ModelStore store(World world, Ledger ledger, int lanes) {
            return new ModelStore(world, ledger, lanes) {
                @Override
                Set<String> writers() {
                    return Set.of();
                }
            };
        }
    },

    /** Reads that begin above an old transaction go on there when it is over. */
    FLOOR_FORGETS_ITS_EXCEPTIONS {
        @Override
        ModelStore.Transaction transaction(ModelStore store, ModelStore.Session session) {
            return store.new Transaction(session) {
                @Override
                public boolean anyOver(Set<String> writers) {
                    return super.anyOver(Set.of());
                }
            };
        }
    },

    /** The rows of a batch of which Kafka took a part only go nevertheless. */
    DOES_NOT_TAKE_A_DELETION_BACK {
        @Override
        ModelStore.Transaction transaction(ModelStore store, ModelStore.Session session) {
            return store.new Transaction(session) {
                @Override
                public void takeBackDeletion() {
                    deletedMeanwhile();
                }
            };
        }
    },

    /** An old transaction counts as open until it has given up its locks. */
    TAKES_A_LOCK_FOR_AN_OPEN_TRANSACTION {
        @Override
        ModelStore.Transaction transaction(ModelStore store, ModelStore.Session session) {
            return store.new Transaction(session) {
                @Override
                public boolean anyOver(Set<String> writers) {
                    super.anyOver(writers);
                    return !store.writers().containsAll(writers);
                }
            };
        }
    },

    /** Lets the floor pass blocked jobs that were not moved aside yet. */
    SWEEP_CLAIMS_MORE_THAN_IT_LOOKED_AT {
        @Override
        ModelStore.Transaction transaction(ModelStore store, ModelStore.Session session) {
            return store.new Transaction(session) {
                @Override
                public Swept sweep(Map<String, Refusal> refused, BatchLimits limits, long after) {
                    return new Swept(super.sweep(refused, limits, after).moved(), Long.MAX_VALUE);
                }
            };
        }
    },

    /**
     * A lane goes on under another channel although the last session under this one may have been another process's.
     */
    GOES_ON_AFTER_A_GAP_OF_GENERATIONS {
        @Override
        LaneAcquisition acquisition(int lane, Ports ports, LaneContext context) {
            return new LaneAcquisition(lane, ports, context) {
                @Override
                boolean lastSessionWasOurs() {
                    return true;
                }
            };
        }
    },

    /** Whoever goes on under another channel does not wait until that is committed. */
    USES_A_CHANNEL_BEFORE_IT_IS_COMMITTED {
        @Override
        ModelStore.Transaction transaction(ModelStore store, ModelStore.Session session) {
            return store.new Transaction(session) {
                @Override
                public void commit() {
                    if (session.channel == null) {
                        super.commit();
                    } else {
                        session.committing = true;
                        session.broken = true;
                    }
                }
            };
        }
    },

    /** Who takes a lane reads its channel first, while the owner before may still change it. */
    READS_THE_CHANNEL_BEFORE_IT_TAKES_THE_GENERATION {
        @Override
        ModelStore store(World world, Ledger ledger, int lanes) {
            return new ModelStore(world, ledger, lanes) {
                @Override
                int channelOfTaken(Lane lane, int before) {
                    return before;
                }
            };
        }
    },

    /** An end counts as decided, and the progress as read, before the end has reached the progress. */
    TAKES_A_PREPARED_END_FOR_DECIDED {
        @Override
        ModelBroker broker(World world, Ledger ledger, ModelStore store, int lanes) {
            return new ModelBroker(world, ledger, store, lanes) {
                @Override
                boolean isDecided(Id id) {
                    return id.last != null && id.last.state == State.DECIDED;
                }

                @Override
                Progress readToEnd(Lane lane) {
                    return lane.readable;
                }
            };
        }
    },

    /** Nobody is told under which channel the progress was written: a copy of the database that knows less goes on. */
    PROGRESS_DOES_NOT_NAME_ITS_CHANNEL {
        @Override
        ModelBroker broker(World world, Ledger ledger, ModelStore store, int lanes) {
            return new ModelBroker(world, ledger, store, lanes) {
                @Override
                Progress shown(Progress progress) {
                    return progress.under(0);
                }
            };
        }
    };

    /** PostgreSQL under this protocol. */
    ModelStore store(World world, Ledger ledger, int lanes) {
        return new ModelStore(world, ledger, lanes) {
            @Override
            Transaction transaction(Session session) {
                return Flaw.this.transaction(this, session);
            }
        };
    }

    /** A transaction of PostgreSQL under this protocol. */
    ModelStore.Transaction transaction(ModelStore store, ModelStore.Session session) {
        return store.new Transaction(session);
    }

    /** How a lane is acquired under this protocol. */
    LaneAcquisition acquisition(int lane, Ports ports, LaneContext context) {
        return new LaneAcquisition(lane, ports, context);
    }

    /** Kafka under this protocol. */
    ModelBroker broker(World world, Ledger ledger, ModelStore store, int lanes) {
        return new ModelBroker(world, ledger, store, lanes);
    }
}
