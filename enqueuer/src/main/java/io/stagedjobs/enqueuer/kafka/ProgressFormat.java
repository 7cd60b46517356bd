package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Progress;
import io.stagedjobs.enqueuer.Progress.JobRef;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a progress: a version, the channel, the batch's number, the number of its jobs, their ids as
 * differences, then one digest of eight bytes for each. Numbers have variable length: zigzag, then seven bits per byte,
 * the lowest first. One release writes it and the next one reads it, so the format depends on no library.
 */
final class ProgressFormat {

    private static final byte VERSION = 1;

    /** 64 bits, seven per byte. */
    private static final int NUMBER_BYTES_MAX = 10;

    private static final int HEAD_BYTES_MAX = 1 + 3 * NUMBER_BYTES_MAX;
    private static final int ENTRY_BYTES_MIN = 1 + Long.BYTES;
    private static final int ENTRY_BYTES_MAX = NUMBER_BYTES_MAX + Long.BYTES;

    private static final int LOW_BITS = 0x7f;
    private static final int MORE_FOLLOWS = 0x80;

    /** The bytes are no progress that this release knows; the message is the end of a sentence that says why. */
    static final class UnreadableException extends Exception {
        UnreadableException(String why) {
            super(why);
        }
    }

    private ProgressFormat() {}

    /** The largest size in bytes of the progress of this many jobs. */
    static int bytesMax(int jobs) {
        return HEAD_BYTES_MAX + jobs * ENTRY_BYTES_MAX;
    }

    /** The number of jobs whose progress certainly fits into this many bytes; less than 1 if not even one does. */
    static int jobsMax(int bytes) {
        return (bytes - HEAD_BYTES_MAX) / ENTRY_BYTES_MAX;
    }

    static byte[] encode(Progress progress) {
        List<JobRef> jobs = progress.jobs();
        ByteBuffer buffer = ByteBuffer.allocate(bytesMax(jobs.size()));
        buffer.put(VERSION);
        putNumber(buffer, progress.channel());
        putNumber(buffer, progress.batch());
        putNumber(buffer, jobs.size());
        long before = 0;
        for (JobRef job : jobs) {
            putNumber(buffer, job.id() - before);
            before = job.id();
        }
        jobs.forEach(job -> buffer.putLong(job.digest()));
        byte[] bytes = new byte[buffer.flip().remaining()];
        buffer.get(bytes);
        return bytes;
    }

    static Progress decode(byte @Nullable [] bytes) throws UnreadableException {
        if (bytes == null) {
            throw new UnreadableException("it has no value");
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        try {
            Progress progress = decode(buffer);
            if (buffer.hasRemaining()) {
                throw new UnreadableException("it has " + buffer.remaining() + " more byte(s) than its jobs need");
            }
            return progress;
        } catch (BufferUnderflowException e) {
            throw new UnreadableException("it ends too soon, after " + bytes.length + " byte(s)");
        }
    }

    private static Progress decode(ByteBuffer buffer) throws UnreadableException {
        byte version = buffer.get();
        if (version != VERSION) {
            throw new UnreadableException("it is in format " + version + ", this release reads " + VERSION);
        }
        long channel = number(buffer);
        if (channel < 0 || channel > Integer.MAX_VALUE) {
            throw new UnreadableException("it claims to be of channel " + channel);
        }
        long batch = number(buffer);
        long jobs = number(buffer);
        if (jobs < 0 || jobs > buffer.remaining() / ENTRY_BYTES_MIN) {
            throw new UnreadableException("it claims to have " + jobs + " jobs in " + buffer.remaining() + " byte(s)");
        }
        long[] ids = new long[(int) jobs];
        long before = 0;
        for (int i = 0; i < ids.length; i++) {
            before += number(buffer);
            ids[i] = before;
        }
        List<JobRef> refs = new ArrayList<>(ids.length);
        for (long id : ids) {
            refs.add(new JobRef(id, buffer.getLong()));
        }
        return new Progress((int) channel, batch, refs);
    }

    private static void putNumber(ByteBuffer buffer, long number) {
        long left = (number << 1) ^ (number >> 63); // small numbers stay small, even negative ones
        while ((left & ~LOW_BITS) != 0) {
            buffer.put((byte) ((left & LOW_BITS) | MORE_FOLLOWS));
            left >>>= 7;
        }
        buffer.put((byte) left);
    }

    private static long number(ByteBuffer buffer) throws UnreadableException {
        long number = 0;
        for (int bits = 0; bits < 7 * NUMBER_BYTES_MAX; bits += 7) {
            byte next = buffer.get();
            number |= (long) (next & LOW_BITS) << bits;
            if ((next & MORE_FOLLOWS) == 0) {
                return (number >>> 1) ^ -(number & 1);
            }
        }
        throw new UnreadableException("it has a number that is too long");
    }
}
