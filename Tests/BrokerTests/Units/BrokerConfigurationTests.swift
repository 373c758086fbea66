import Basics
import Testing

@testable import Broker

@Suite struct BrokerConfigurationTests {
    @Test(arguments: [(1, 32), (2, 16), (4, 8), (8, 4), (64, 4)])
    func `shards have equal parts of a bound, but none that is too small to be of use`(shards: Int, mebibytes: Int) {
        #expect(BrokerConfiguration.shardPart(of: 32.mebibytes, shardCount: shards) == mebibytes.mebibytes)
    }

    @Test func `a bound that is smaller than that holds for each shard`() {
        #expect(BrokerConfiguration.shardPart(of: 512.kibibytes, shardCount: 4) == 512.kibibytes)
        #expect(BrokerConfiguration.shardPart(of: 0, shardCount: 4) == 0)
    }
}
