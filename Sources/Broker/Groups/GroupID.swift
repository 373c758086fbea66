import Basics

/// Which shard keeps a consumer group.
enum GroupID {
    /// The same on every broker and for ever: a group's offsets are found where an earlier version put them. FNV-1a of
    /// the id's UTF-8 bytes.
    static func shard(of id: String, among shardCount: Int) -> ShardID {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return ShardID(UInt16(hash % UInt64(shardCount)))
    }
}
