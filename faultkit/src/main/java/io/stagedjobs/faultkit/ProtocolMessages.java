package io.stagedjobs.faultkit;

import java.io.DataInputStream;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The protocol of one proxied connection: splits its two streams into units that pass or are lost completely, and finds
 * those for which a test has a plan.
 *
 * <p>Requests come from one thread and answers from another.
 */
interface ProtocolMessages {

    /**
     * What to do with a unit.
     *
     * @param passes whether it is forwarded
     * @param incident the incident of this unit: reported after a unit that passes, carried out instead of one that
     *     does not
     */
    record Verdict(boolean passes, @Nullable PlannedFault incident) {
        static final Verdict PASS = new Verdict(true, null);
        static final Verdict SWALLOW = new Verdict(false, null);
    }

    /** Reads the client's next unit; null at the end of its stream. */
    byte @Nullable [] readRequest(DataInputStream in) throws IOException;

    /** Records a unit that {@link #readRequest} has read and that is about to be forwarded. */
    Verdict judgeRequest(byte[] request);

    /** Reads the server's next unit; null at the end of its stream. */
    byte @Nullable [] readAnswer(DataInputStream in) throws IOException;

    /** Records a unit that {@link #readAnswer} has read and that is about to be forwarded. */
    Verdict judgeAnswer(byte[] answer);
}
