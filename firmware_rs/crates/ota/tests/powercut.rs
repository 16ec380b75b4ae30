//! Power cuts: a sample of what `make fuzz` tries in full.

mod power;

#[test]
fn a_device_comes_back_from_every_cut_and_the_update_ends() {
    for (i, scenario) in power::scenarios().iter().enumerate() {
        let counts = scenario.cut(i, 97, 4);
        assert!(
            counts.operations > 100 && counts.points > 8 && counts.twice > 0,
            "{}: {counts:?}",
            scenario.name
        );
        assert_eq!(
            (counts.bricked, counts.unverified),
            (0, 0),
            "{}: {counts:?}",
            scenario.name
        );
    }
}
