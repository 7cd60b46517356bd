package io.stagedjobs.enqueuer.diagnosis;

import io.stagedjobs.enqueuer.diagnosis.Work.Aside;
import io.stagedjobs.enqueuer.diagnosis.Work.Pause;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Why nothing moves where all jobs that are left were moved aside. */
final class AsideReason {

    private AsideReason() {}

    /** Empty while anything else waits, or if nothing was moved aside. */
    static Optional<Finding> of(Work work) {
        List<Aside> aside = work.aside();
        if (work.waits() || aside.isEmpty()) {
            return Optional.empty();
        }
        List<Aside> held = aside.stream().filter(Aside::held).toList();
        List<String> causes = new ArrayList<>();
        (held.isEmpty() ? aside : held)
                .stream()
                        .limit(Why.NAMED_MAX)
                        .forEach(jobs -> causes.add("topic " + jobs.topic() + ": " + cause(jobs)));
        String all =
                String.join("; ", causes) + (aside.size() > Why.NAMED_MAX ? "; and more, see staged-jobs status" : "");
        Aside first = held.isEmpty() ? aside.get(0) : held.get(0);
        if (held.isEmpty()) {
            return Optional.of(Why.wrong(
                    "Only parked jobs are left, which wait for a person: " + all,
                    "Look: staged-jobs parked list. Once the cause is gone, publish them: staged-jobs parked requeue"
                            + " --topic " + first.topic() + " --yes; or drop them: staged-jobs parked discard --topic "
                            + first.topic() + " --yes"));
        }
        Optional<Pause> paused = work.pauses().stream()
                .filter(pause -> pause.topic().equals(first.topic()))
                .findFirst();
        return Optional.of(new Finding(
                Why.CHECK,
                paused.isPresent() ? Verdict.WARNING : Verdict.WRONG,
                "Only held jobs are left, which return by themselves once their topic takes jobs: "
                        + paused.map(pause -> "topic " + pause.topic() + " was paused by an operator "
                                        + Why.seconds(pause.seconds()) + " ago")
                                .orElse(all),
                fix(first)));
    }

    private static String cause(Aside jobs) {
        return jobs.error().isEmpty() ? jobs.reason() : Why.withoutStop(jobs.error());
    }

    private static String fix(Aside held) {
        return switch (held.reason()) {
            case "topic missing" -> "Create it: " + KafkaCommands.create(held.topic());
            case "topic forbidden" -> "Allow it: " + KafkaCommands.allow(held.topic(), "Describe", "Write");
            case "topic paused" -> "To go on: staged-jobs resume --topic " + held.topic();
            default -> "Look at its brokers: " + KafkaCommands.describe(held.topic());
        };
    }
}
