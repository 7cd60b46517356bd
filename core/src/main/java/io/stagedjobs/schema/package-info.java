/**
 * The tables and functions of Staged Jobs: numbered SQL files beside this package ({@code db/V001__…sql}), which Flyway
 * can apply too, and {@link io.stagedjobs.schema.Schema}, which applies and checks them.
 */
@NullMarked
package io.stagedjobs.schema;

import org.jspecify.annotations.NullMarked;
