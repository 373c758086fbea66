/// Traps when `condition` is false, in release builds too: a broken invariant means that the next step could lose data.
///
/// For programming errors only. An error of the environment (disk, peer, client) is a typed error instead.
@inlinable
public func invariant(
    _ condition: @autoclosure () -> Bool,
    _ message: @autoclosure () -> String,
    file: StaticString = #fileID,
    line: UInt = #line
) {
    precondition(condition(), "invariant broken: \(message())", file: file, line: line)
}
