import ArgumentParser
import Simulation

@main
struct MartletSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet-sim", abstract: "Runs simulated clusters whose faults and clients follow from a seed.")
}
