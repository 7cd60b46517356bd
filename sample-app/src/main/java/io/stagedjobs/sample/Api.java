package io.stagedjobs.sample;

import io.javalin.config.RoutesConfig;

/** A part of the service's HTTP side. */
interface Api {

    void addTo(RoutesConfig routes);
}
