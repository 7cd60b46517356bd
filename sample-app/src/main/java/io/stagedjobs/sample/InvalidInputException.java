package io.stagedjobs.sample;

/** Some input is not as expected; the message is the part of a sentence that says what is wrong. */
final class InvalidInputException extends RuntimeException {

    InvalidInputException(String problem) {
        super(problem);
    }
}
