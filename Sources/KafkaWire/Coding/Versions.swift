/// The versions of a message in which a field has some property: `3...` for "3+" in Kafka's documentation, `0...12`.
public struct Versions: Hashable, Sendable {
    public let lower: Int16
    public let upper: Int16

    init(_ lower: Int16, _ upper: Int16) {
        self.lower = lower
        self.upper = upper
    }

    /// No version at all.
    public static var none: Versions { Versions(1, 0) }

    public func contains(_ version: Int16) -> Bool {
        lower <= version && version <= upper
    }

    /// The versions that are in `range` too; nil when there are none.
    public func intersection(_ range: ClosedRange<Int16>) -> ClosedRange<Int16>? {
        let first = max(lower, range.lowerBound)
        let last = min(upper, range.upperBound)
        return first <= last ? first...last : nil
    }
}

// Internal, so that `...` on an Int16 keeps its usual meaning in other modules.
postfix func ... (lower: Int16) -> Versions { Versions(lower, .max) }
func ... (lower: Int16, upper: Int16) -> Versions { Versions(lower, upper) }
