//! The journal's contract, the numbers of runs, and what opening costs.

use event::{Attempt, RunId, Seq};
use ports::{JOURNAL_CONTRACT, Journal as _};

use crate::engines::{Home, on_each_engine};
use crate::{NOW, completed, ready, run};

on_each_engine! {
    the_contract_is_kept,
    what_was_appended_is_there_after_opening_again,
    runs_are_counted_over_the_journal_and_over_their_workflow,
    the_newest_streams_come_first,
    many_callers_at_once_all_get_their_answer,
}

fn the_contract_is_kept(home: &Home) {
    for (_, case) in JOURNAL_CONTRACT {
        case(&home.another().open());
        case(&home.another().open_durably());
    }
}

fn what_was_appended_is_there_after_opening_again(home: &Home) {
    let before = {
        let store = home.open();
        store.append(run(1), Seq(0), NOW, &[ready("a"), ready("b")]).unwrap();
        store.read(run(1), Seq(0)).unwrap()
    };
    let store = home.open();
    assert_eq!(store.read(run(1), Seq(0)).unwrap(), before);
    assert_eq!(store.append(run(1), Seq(2), NOW, &[completed()]).unwrap(), Seq(3));
}

fn runs_are_counted_over_the_journal_and_over_their_workflow(home: &Home) {
    {
        let store = home.open();
        assert_eq!(store.allocate_run("octo/a", "ci.yml").unwrap(), (RunId(1), 1));
        assert_eq!(store.allocate_run("octo/a", "ci.yml").unwrap(), (RunId(2), 2));
        assert_eq!(store.allocate_run("octo/a", "release.yml").unwrap(), (RunId(3), 1));
    }
    let store = home.open();
    assert_eq!(store.allocate_run("octo/b", "ci.yml").unwrap(), (RunId(4), 1));
    assert_eq!(store.allocate_attempt(RunId(2)).unwrap(), Attempt(2));
    assert_eq!(store.allocate_attempt(RunId(2)).unwrap(), Attempt(3));
    let record = store.run(RunId(2)).unwrap().unwrap();
    assert_eq!((record.repository.as_str(), record.workflow.as_str()), ("octo/a", "ci.yml"));
    assert_eq!((record.run_number, record.attempts), (2, Attempt(3)));
    assert_eq!(store.run(RunId(9)).unwrap(), None);
}

fn the_newest_streams_come_first(home: &Home) {
    let store = home.open();
    for number in 1..=4 {
        store.append(run(number), Seq(0), NOW, &[completed()]).unwrap();
    }
    store.forget(run(3)).unwrap();
    assert_eq!(store.newest_streams(2).unwrap(), [run(4), run(2)]);
    assert_eq!(store.newest_streams(usize::MAX).unwrap(), [run(4), run(2), run(1)]);
}

fn many_callers_at_once_all_get_their_answer(home: &Home) {
    let store = home.open();
    std::thread::scope(|scope| {
        for number in 1..=8 {
            let store = &store;
            scope.spawn(move || {
                for seq in 0..50 {
                    let event = ready(&seq.to_string());
                    let at = store.append(run(number), Seq(seq), NOW, &[event]).unwrap();
                    assert_eq!(at, Seq(seq + 1));
                }
            });
        }
    });
    let verified = store.verify().unwrap();
    assert_eq!((verified.streams, verified.events), (8, 400));
}
