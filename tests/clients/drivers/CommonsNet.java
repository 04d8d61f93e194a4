import java.io.*;
import java.lang.reflect.*;
import java.net.Socket;
import java.nio.file.*;
import java.security.KeyStore;
import java.security.cert.*;
import java.util.Locale;
import javax.net.ssl.*;
import org.apache.commons.net.ftp.*;

/** The verbs of tests/clients/steps.py with commons-net. */
class CommonsNet {
    /** Puts the session of the control connection where Java looks for that of the data connection. */
    static class Reusing extends FTPSClient {
        Reusing(boolean implicit, SSLContext context) {
            super(implicit, context);
            setEnabledProtocols(new String[] {"TLSv1.2"});
        }

        @Override
        protected void _prepareDataSocket_(Socket socket) throws IOException {
            SSLSession session = ((SSLSocket) _socket_).getSession();
            try {
                Field field = session.getSessionContext().getClass().getDeclaredField("sessionHostPortCache");
                field.setAccessible(true);
                Object cache = field.get(session.getSessionContext());
                Method put = cache.getClass().getDeclaredMethod("put", Object.class, Object.class);
                put.setAccessible(true);
                for (String host : new String[] {socket.getInetAddress().getHostName(), socket.getInetAddress().getHostAddress()}) {
                    put.invoke(cache, (host + ":" + socket.getPort()).toLowerCase(Locale.ROOT), session);
                }
            } catch (ReflectiveOperationException error) {
                throw new IOException(error);
            }
        }
    }

    static FTPSClient ftp;

    static void must(boolean done) throws IOException {
        if (!done) {
            throw new IOException(ftp.getReplyString());
        }
    }

    static void put(Path local, String remote) throws IOException {
        try (InputStream in = Files.newInputStream(local)) {
            must(ftp.storeFile(remote, in));
        }
    }

    static void get(String remote, Path local, long from) throws IOException {
        ftp.setRestartOffset(from);
        try (OutputStream out = Files.newOutputStream(local, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            must(ftp.retrieveFile(remote, out));
        }
    }

    static void tree(File local, String remote, boolean make) throws IOException {
        if (make) {
            must(ftp.makeDirectory(remote));
        }
        for (File one : local.listFiles()) {
            if (one.isDirectory()) {
                tree(one, remote + "/" + one.getName(), true);
            } else {
                put(one.toPath(), remote + "/" + one.getName());
            }
        }
    }

    static SSLContext trusting(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            store.setCertificateEntry("server", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        return context;
    }

    public static void main(String[] words) throws Exception {
        var environment = System.getenv();
        SSLContext context = trusting(environment.get("CA"));
        ftp = new Reusing(environment.get("MODE").equals("implicit"), context);
        ftp.setTrustManager(null);
        ftp.setEndpointCheckingEnabled(true);
        ftp.setControlEncoding("UTF-8");
        ftp.connect(environment.get("HOST"), Integer.parseInt(environment.get("PORT")));
        must(ftp.login(environment.get("LOGIN"), environment.get("PASSWORD")));
        ftp.execPBSZ(0);
        ftp.execPROT("P");
        ftp.enterLocalPassiveMode();
        must(ftp.setFileType(FTP.BINARY_FILE_TYPE));
        String one = words.length > 1 ? words[1] : "", two = words.length > 2 ? words[2] : "";
        switch (words[0]) {
            case "list" -> {
                must(ftp.changeWorkingDirectory(one));
                for (String name : ftp.listNames()) {
                    new PrintStream(System.out, true, "UTF-8").println(name);
                }
            }
            case "put" -> put(Path.of(one), two);
            case "get" -> get(one, Path.of(two), 0);
            case "rename" -> must(ftp.rename(one, two));
            case "delete" -> must(ftp.deleteFile(one));
            case "resume" -> get(one, Path.of(two), Files.size(Path.of(two)));
            case "many" -> tree(new File(one), two, false);
            case "tree" -> tree(new File(one), two, true);
            case "tree-back" -> {
                for (String name : Files.readAllLines(Path.of(words[3]))) {
                    Path path = Path.of(two, name);
                    Files.createDirectories(path.getParent());
                    get(one + "/" + name, path, 0);
                }
            }
            default -> System.exit(64);
        }
        ftp.logout();
    }
}
