import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.time.ZoneId;

public class Shop {
    public static void main(String[] arguments) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        String zone = ZoneId.of("Europe/Berlin").getId();
        byte[] digest = MessageDigest.getInstance("SHA-256").digest("hello".getBytes());
        server.createContext("/", exchange -> {
            byte[] text = ("hello " + zone + " " + digest.length + "\n").getBytes();
            exchange.sendResponseHeaders(200, text.length);
            exchange.getResponseBody().write(text);
            exchange.close();
        });
        server.start();
    }
}
