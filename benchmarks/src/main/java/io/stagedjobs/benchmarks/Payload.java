package io.stagedjobs.benchmarks;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.util.Locale;

/** Payloads that begin with their number, as {@link Reader} finds it. */
final class Payload {

    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private Payload() {}

    static byte[] of(long number, int bytes) {
        return text(number, bytes).getBytes(US_ASCII);
    }

    static String text(long number, int bytes) {
        String digits = Long.toString(10_000_000_000L + number).substring(1);
        StringBuilder text =
                new StringBuilder(bytes + 16).append("{\"n\":\"").append(digits).append("\",\"d\":\"");
        for (long noise = number; text.length() < bytes - 2; ) {
            noise = noise * GOLDEN + number;
            text.append(Long.toHexString(noise).toLowerCase(Locale.ROOT));
        }
        text.setLength(bytes - 2);
        return text.append("\"}").toString();
    }
}
