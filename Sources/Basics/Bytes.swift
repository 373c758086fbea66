extension Int {
    /// Byte units, so that a bound reads as it is meant: `64.mebibytes`.
    public var kibibytes: Int { self * 1_024 }
    public var mebibytes: Int { self * 1_024 * 1_024 }
    public var gibibytes: Int { self * 1_024 * 1_024 * 1_024 }
}
