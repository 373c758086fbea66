import NIOConcurrencyHelpers
import NIOCore
import Synchronization
import Testing

@testable import SegmentLog

@Suite struct SharedWorkTests {
    @Test func withoutHelpThePartsAreDoneInOrder() {
        let order = Mutex<[Int]>([])
        let outputs = SharedWork.map([3, 1, 2], helpers: []) { part in
            order.withLock { $0.append(part) }
            return part * 10
        }
        #expect(outputs == [30, 10, 20])
        #expect(order.withLock { $0 } == [3, 1, 2])
    }

    @Test func helpersThatComeTooLateAreNotWaitedForAndDoNothing() {
        let late = ManualExecutor()
        let calls = Mutex(0)
        let outputs = SharedWork.map(Array(1 ... 5), helpers: [late, late]) { part in
            calls.withLock { $0 += 1 }
            return -part
        }
        #expect(outputs == [-1, -2, -3, -4, -5])
        #expect(late.pending == 2)
        late.runAll()
        #expect(calls.withLock { $0 } == 5)
    }

    @Test func aSinglePartAsksForNoHelp() {
        let helper = ManualExecutor()
        #expect(SharedWork.map([7], helpers: [helper]) { $0 + 1 } == [8])
        #expect(helper.pending == 0)
    }

    /// Each part ends only when all have begun, so one thread alone would wait for ever.
    @Test func partsRunAtTheSameTime() {
        let helpers = [StorageThread(name: "helper-1"), StorageThread(name: "helper-2")]
        defer { for helper in helpers { helper.stop() } }
        let begun = Mutex(0)
        let allBegun = ConditionLock(value: false)
        let outputs = SharedWork.map([1, 2, 3], helpers: helpers) { part in
            let isLast = begun.withLock { begun in
                begun += 1
                return begun == 3
            }
            if isLast {
                allBegun.lock()
                allBegun.unlock(withValue: true)
            }
            allBegun.lock(whenValue: true)
            allBegun.unlock()
            return part
        }
        #expect(outputs == [1, 2, 3])
    }
}
