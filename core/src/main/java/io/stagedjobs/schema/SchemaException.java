package io.stagedjobs.schema;

import io.stagedjobs.StagedJobsException;

/**
 * The schema of Staged Jobs is absent, too old, too new or could not be installed. Nothing was changed. A person must
 * act as the message says: migrate, upgrade the software or correct the settings.
 */
public final class SchemaException extends StagedJobsException {

    SchemaException(String message) {
        super(message, null);
    }
}
