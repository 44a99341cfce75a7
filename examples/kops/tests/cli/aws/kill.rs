//! Runs that are killed.

use kops_moto::Moto;

use crate::clouds::kill;

#[test]
fn killed_runs_are_taken_up_again() {
    kill::at_many_moments::<Moto>(5);
}
