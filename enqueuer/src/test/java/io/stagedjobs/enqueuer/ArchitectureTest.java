package io.stagedjobs.enqueuer;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.equivalentTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import io.stagedjobs.enqueuer.settings.Passthrough;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.util.Date;
import java.util.stream.Stream;

@AnalyzeClasses(packages = "io.stagedjobs.enqueuer", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

    private static final String MIDDLE = "io.stagedjobs.enqueuer";

    @ArchTest
    static final ArchRule the_middle_knows_none_of_its_leaves = noClasses()
            .that()
            .resideInAPackage(MIDDLE)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(MIDDLE + ".*..", "org.jooq..", "java.sql..", "org.postgresql..", "org.apache.kafka..");

    @ArchTest
    static final ArchRule only_the_postgres_leaf_and_the_assembly_speak_sql = noClasses()
            .that()
            .resideOutsideOfPackages(MIDDLE + ".postgres", MIDDLE + ".assembly")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.jooq..", "java.sql..", "org.postgresql..", "com.zaxxer..");

    @ArchTest
    static final ArchRule only_the_kafka_leaf_speaks_kafka = noClasses()
            .that()
            .resideOutsideOfPackages(MIDDLE + ".kafka", MIDDLE + ".assembly")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.apache.kafka..");

    @ArchTest
    static final ArchRule the_postgres_leaf_knows_no_other_leaf = noClasses()
            .that()
            .resideInAPackage(MIDDLE + ".postgres")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(MIDDLE + ".kafka", MIDDLE + ".assembly", MIDDLE + ".settings");

    @ArchTest
    static final ArchRule the_kafka_leaf_knows_no_other_leaf = noClasses()
            .that()
            .resideInAPackage(MIDDLE + ".kafka")
            .should()
            .dependOnClassesThat(resideInAnyPackage(MIDDLE + ".postgres", MIDDLE + ".assembly", MIDDLE + ".settings")
                    .and(not(equivalentTo(Passthrough.class))));

    /** Kafka hands over what may be set. The compiler copies constants, so the sources are read too. */
    @ArchTest
    static void the_settings_know_no_client(JavaClasses all) throws IOException {
        noClasses()
                .that()
                .resideInAPackage(MIDDLE + ".settings")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.apache.kafka..", MIDDLE + ".kafka")
                .check(all);
        try (Stream<Path> sources = Files.list(Path.of("src/main/java/io/stagedjobs/enqueuer/settings"))) {
            assertThat(sources).isNotEmpty().allSatisfy(source -> assertThat(source)
                    .content()
                    .doesNotContain("org.apache.kafka", MIDDLE + ".kafka"));
        }
    }

    @ArchTest
    static final ArchRule the_diagnosis_knows_no_leaf = noClasses()
            .that()
            .resideInAPackage(MIDDLE + ".diagnosis")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(MIDDLE + ".postgres", MIDDLE + ".kafka", MIDDLE + ".settings", MIDDLE + ".assembly");

    /** Kafka's own properties are settings, too; the leaf for Kafka knows them. */
    @ArchTest
    static final ArchRule the_settings_know_neither_the_database_nor_the_assembly = noClasses()
            .that()
            .resideInAPackage(MIDDLE + ".settings")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(MIDDLE + ".postgres", MIDDLE + ".assembly");

    /**
     * Where processes compare times, the database's clock decides; a time span is measured by a clock that cannot jump.
     * The doctor only compares the clocks.
     */
    @ArchTest
    static final ArchRule no_decision_rests_on_the_clock_of_the_machine = noClasses()
            .that()
            .doNotHaveFullyQualifiedName(MIDDLE + ".diagnosis.MachineClock")
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
