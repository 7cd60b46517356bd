package io.stagedjobs;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "io.stagedjobs", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

    @ArchTest
    static final ArchRule core_knows_sql_and_no_kafka = noClasses()
            .that()
            .resideInAnyPackage("io.stagedjobs", "io.stagedjobs.schema", "io.stagedjobs.internal")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.apache.kafka..", "com.zaxxer..");

    @ArchTest
    static final ArchRule only_one_class_needs_jackson_2 = only("Jackson2JsonCodec", "com.fasterxml.jackson..");

    @ArchTest
    static final ArchRule only_one_class_needs_jackson_3 = only("Jackson3JsonCodec", "tools.jackson..");

    @ArchTest
    static final ArchRule only_one_class_needs_micrometer = only("MicrometerUnitListener", "io.micrometer..");

    @ArchTest
    static final ArchRule only_one_class_needs_opentelemetry = only("OpenTelemetryTraceContext", "io.opentelemetry..");

    private static ArchRule only(String name, String optional) {
        return noClasses()
                .that()
                .resideInAnyPackage("io.stagedjobs", "io.stagedjobs.schema", "io.stagedjobs.internal")
                .and()
                .haveSimpleNameNotStartingWith(name)
                .should()
                .dependOnClassesThat()
                .resideInAPackage(optional);
    }

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
