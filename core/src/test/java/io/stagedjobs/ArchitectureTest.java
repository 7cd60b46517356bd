package io.stagedjobs;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.util.Set;

@AnalyzeClasses(packages = "io.stagedjobs", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

    private static final String[] CORE = {
        "io.stagedjobs", "io.stagedjobs.idempotency", "io.stagedjobs.schema", "io.stagedjobs.internal"
    };

    private static final Set<String> OF_A_UNIT = Set.of(
            "UnitOfWork",
            "UnitOptions",
            "Attempt",
            "Work",
            "OpenUnit",
            "UnitConnection",
            "SavepointTransactions",
            "PendingJobs",
            "SqlStates",
            "StagedJobs",
            "StagingErrors");

    /** A class and those in it are one; the others are left out. */
    @ArchTest
    static final ArchRule no_class_of_a_unit_knows_those_that_use_it = slices().assignedFrom(new SliceAssignment() {
                @Override
                public SliceIdentifier getIdentifierOf(JavaClass javaClass) {
                    String file = javaClass.getName().replaceFirst("^io\\.stagedjobs\\.(\\w+).*", "$1");
                    return OF_A_UNIT.contains(file) ? SliceIdentifier.of(file) : SliceIdentifier.ignore();
                }

                @Override
                public String getDescription() {
                    return "classes of a unit of work";
                }
            })
            .should()
            .beFreeOfCycles();

    @ArchTest
    static final ArchRule core_knows_sql_and_no_kafka = noClasses()
            .that()
            .resideInAnyPackage(CORE)
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
                .resideInAnyPackage(CORE)
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
