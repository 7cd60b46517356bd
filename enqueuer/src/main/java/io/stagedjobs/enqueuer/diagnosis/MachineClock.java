package io.stagedjobs.enqueuer.diagnosis;

/** The clock of this machine, only to be compared with others: no decision rests on it. */
final class MachineClock {

    private MachineClock() {}

    static long millis() {
        return System.currentTimeMillis();
    }
}
