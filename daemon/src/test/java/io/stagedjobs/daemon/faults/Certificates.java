package io.stagedjobs.daemon.faults;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * An authority, and the certificates that it gives to one server: PEM files, made by the keytool of the running JDK.
 */
final class Certificates {

    private static final String PASSWORD = "changeit";

    private final Path directory;
    private final String privateKey;

    Certificates(Path directory) throws Exception {
        this.directory = directory;
        keyPair("authority", "-ext", "bc:c");
        keyPair("server");
        keytool(
                "-exportcert",
                "-rfc",
                "-alias",
                "authority",
                "-file",
                authority().toString());
        keytool("-certreq", "-alias", "server", "-file", path("request"));
        this.privateKey = privateKey("server");
    }

    /** Whom a client has to trust. */
    Path authority() {
        return directory.resolve("authority.pem");
    }

    /**
     * A certificate of the authority for the server, with its private key.
     *
     * @param begins from when on it is valid, as keytool's {@code -startdate}, such as {@code -10d}
     * @param subject a name or address, such as {@code ip:127.0.0.1}
     */
    Path issue(String name, String begins, int days, String subject) throws Exception {
        keytool(
                "-gencert",
                "-rfc",
                "-alias",
                "authority",
                "-infile",
                path("request"),
                "-outfile",
                path(name),
                "-startdate",
                begins,
                "-validity",
                "" + days,
                "-ext",
                "san=" + subject);
        Path file = directory.resolve(name + ".pem");
        Files.writeString(file, privateKey + Files.readString(directory.resolve(name)));
        return file;
    }

    /** The certificate in a file that {@link #issue} made. */
    static X509Certificate read(Path file) throws IOException, GeneralSecurityException {
        String text = Files.readString(file);
        String certificate = text.substring(text.indexOf("-----BEGIN CERTIFICATE-----"));
        return (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(certificate.getBytes(US_ASCII)));
    }

    private String path(String name) {
        return directory.resolve(name).toString();
    }

    private void keyPair(String alias, String... more) throws Exception {
        List<String> arguments = new ArrayList<>(
                List.of("-genkeypair", "-alias", alias, "-keyalg", "EC", "-groupname", "secp256r1", "-dname"));
        arguments.add("CN=" + alias);
        arguments.addAll(List.of(more));
        keytool(arguments.toArray(new String[0]));
    }

    private void keytool(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
        command.addAll(List.of("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"));
        command.addAll(List.of(arguments));
        command.addAll(List.of("-keystore", path("keys.p12"), "-storetype", "PKCS12", "-storepass", PASSWORD));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), US_ASCII);
        if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
            throw new IllegalStateException("keytool " + List.of(arguments) + " says: " + said);
        }
    }

    private String privateKey(String alias) throws IOException, GeneralSecurityException {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(directory.resolve("keys.p12"))) {
            keys.load(in, PASSWORD.toCharArray());
        }
        byte[] key = keys.getKey(alias, PASSWORD.toCharArray()).getEncoded();
        String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(key);
        return "-----BEGIN PRIVATE KEY-----\n" + text + "\n-----END PRIVATE KEY-----\n";
    }
}
