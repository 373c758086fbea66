/// The room on a volume, in bytes.
public struct VolumeSpace: Hashable, Sendable {
    public var total: Int64
    /// What this process could still write.
    public var usable: Int64

    public init(total: Int64, usable: Int64) {
        self.total = total
        self.usable = usable
    }
}

/// Asks the system how much room there is where the logs are. The question may block, so it is asked on another thread.
public protocol VolumeProbe: AnyObject {
    /// - Parameter completion: called on the broker's loop; with nil when the system cannot tell.
    func measure(_ completion: @escaping (VolumeSpace?) -> Void)
}
