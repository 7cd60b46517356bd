package io.stagedjobs.daemon;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.time.Clock;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.util.Date;

@AnalyzeClasses(packages = "io.stagedjobs.daemon", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

    private static final String DAEMON = "io.stagedjobs.daemon";
    private static final String ENQUEUER = "io.stagedjobs.enqueuer";

    /** What is told over HTTP is given to it. */
    @ArchTest
    static final ArchRule the_admin_server_knows_neither_the_commands_nor_a_leaf_of_the_enqueuer = noClasses()
            .that()
            .resideInAPackage(DAEMON + ".admin")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(DAEMON + ".cli", ENQUEUER + ".*..", "org.jooq..", "java.sql..", "org.postgresql..");

    @ArchTest
    static final ArchRule only_the_admin_server_speaks_http = noClasses()
            .that()
            .resideOutsideOfPackage(DAEMON + ".admin")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("io.javalin..", "org.eclipse.jetty..", "jakarta.servlet..");

    @ArchTest
    static final ArchRule only_the_commands_know_the_command_line = noClasses()
            .that()
            .resideOutsideOfPackage(DAEMON + ".cli")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("picocli..");

    @ArchTest
    static final ArchRule kafka_is_left_to_the_enqueuer =
            noClasses().should().dependOnClassesThat().resideInAnyPackage("org.apache.kafka..", ENQUEUER + ".kafka..");

    /**
     * Where processes compare times, the database's clock decides; a time span is measured by a clock that cannot jump.
     */
    @ArchTest
    static final ArchRule no_decision_rests_on_the_clock_of_the_machine = noClasses()
            .should()
            .callMethod(System.class, "currentTimeMillis")
            .orShould()
            .callMethod(Instant.class, "now")
            .orShould()
            .callMethod(OffsetDateTime.class, "now")
            .orShould()
            .callMethod(LocalDateTime.class, "now")
            .orShould()
            .dependOnClassesThat()
            .belongToAnyOf(Clock.class, Date.class);

    @ArchTest
    static final ArchRule names_say_what_a_class_is = classes()
            .should()
            .haveSimpleNameNotEndingWith("Manager")
            .andShould()
            .haveSimpleNameNotEndingWith("Helper")
            .andShould()
            .haveSimpleNameNotEndingWith("Util")
            .andShould()
            .haveSimpleNameNotEndingWith("Impl");
}
