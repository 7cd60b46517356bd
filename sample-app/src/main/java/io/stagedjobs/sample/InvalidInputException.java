package io.stagedjobs.sample;

/** What came from outside is not what was expected; the message says what is wrong, as part of a sentence. */
final class InvalidInputException extends RuntimeException {

    InvalidInputException(String problem) {
        super(problem);
    }
}
