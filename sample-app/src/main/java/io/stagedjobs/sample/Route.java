package io.stagedjobs.sample;

import io.javalin.http.Handler;
import io.javalin.http.HandlerType;

/**
 * A request that the service answers.
 *
 * @param usage how to send it, including method and path
 * @param effect what it does, for the page at {@code /}
 */
public record Route(HandlerType method, String path, String usage, String effect, Handler handler) {}
