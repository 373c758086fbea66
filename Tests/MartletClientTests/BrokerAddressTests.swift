import Testing

@testable import MartletClient

@Suite("Broker addresses")
struct BrokerAddressTests {
    @Test(
        "host, port and both kinds of IPv6 are read",
        arguments: [
            ("broker", "broker", 9092), ("broker:19092", "broker", 19_092), ("127.0.0.1:1", "127.0.0.1", 1),
            ("[::1]:9093", "::1", 9093), ("[::1]", "::1", 9092), ("fe80::1", "fe80::1", 9092),
        ])
    func valid(text: String, host: String, port: Int) throws {
        let address = try #require(BrokerAddress(text))
        #expect(address == BrokerAddress(host: host, port: port))
        #expect(BrokerAddress(address.description) == address)
    }

    @Test(
        "what is no address is refused",
        arguments: ["", ":9092", "broker:", "broker:0", "broker:65536", "broker:x", "[::1", "[::1]9092", "[]:1"])
    func invalid(text: String) {
        #expect(BrokerAddress(text) == nil)
    }

    @Test("a list may have spaces, and one bad address spoils it")
    func lists() {
        let both = [BrokerAddress(host: "a", port: 1), BrokerAddress(host: "b", port: 2)]
        #expect(BrokerAddress.list("a:1, b:2") == both)
        #expect(BrokerAddress.list("a:1,b:x") == nil)
        #expect(BrokerAddress.list("") == nil)
    }
}
