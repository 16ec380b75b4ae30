//! Power cuts at every write and erase of every scenario; one line of JSON for each, and exit status 1 when a device
//! did not come back or ran what it must not. `cargo run --release -p minerva-ota --example powercut`

#[path = "../tests/power/mod.rs"]
mod power;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut fine = true;
    for scenario in power::scenarios() {
        let counts = scenario.cut(0, 1, 4);
        println!(
            "{{\"scenario\": \"{}\", \"operations\": {}, \"points\": {}, \"twice\": {}, \"bricked\": {}, \"unverified\": {}}}",
            scenario.name,
            counts.operations,
            counts.points,
            counts.twice,
            counts.bricked,
            counts.unverified
        );
        fine &= counts.bricked == 0 && counts.unverified == 0;
    }
    if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
