/** Run from its source by the build of {@code mvn -q -Pdemo}, which is silent until the demo starts. */
class Announcement {
    public static void main(String[] args) {
        System.out.println(
                "Building what the demo needs: half a minute, longer while Maven fetches it the first time ...");
    }
}
