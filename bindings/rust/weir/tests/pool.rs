// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pools and numbers.
use std::io::ErrorKind;
use std::ops::ControlFlow::{Break, Continue};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use weir::*;

const NOW: Option<Duration> = Some(Duration::ZERO);

fn matrix() -> Matrix {
    Matrix::create(None, &MatrixOptions::new()).unwrap()
}

fn live<T>(pool: &Pool<T>) -> u64 {
    pool.stats().unwrap().live
}

#[test]
fn values_are_dropped_with_their_boxes() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Counted(String);
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    let pool = Pool::create(&PoolOptions::new()).unwrap();
    let value = |text: &str| Counted(text.to_owned());
    let mut one = pool.acquire(value("one"), NOW).unwrap();
    one.0.push('!');
    let two = pool.acquire(value("two"), NOW).unwrap();
    assert_eq!((one.0.as_str(), live(&pool)), ("one!", 2));
    drop(one);
    assert_eq!((DROPS.load(Ordering::Relaxed), live(&pool)), (1, 1));
    let kept = two.into_inner();
    assert_eq!((DROPS.load(Ordering::Relaxed), live(&pool)), (1, 0));
    assert_eq!(kept.0, "two");
}

#[test]
fn what_finds_no_slot_comes_back() {
    let pool = Pool::create(&PoolOptions::new().capacity(1)).unwrap();
    let _first = pool.acquire(vec![1], NOW).unwrap();
    let rejected = pool.acquire(vec![2], NOW).unwrap_err();
    assert_eq!((rejected.error.kind(), rejected.value), (ErrorKind::WouldBlock, vec![2]));
    let rejected = pool.acquire(vec![3], Some(Duration::from_millis(5))).unwrap_err();
    assert_eq!(rejected.error.kind(), ErrorKind::TimedOut);
    assert_eq!(pool.grow(1).unwrap_err().name(), "EOPNOTSUPP");
}

#[test]
fn alignment_is_that_of_the_type() {
    #[repr(align(256))]
    struct Wide(u8);
    let pool = Pool::create(&PoolOptions::new().capacity(4)).unwrap();
    let one = pool.acquire(Wide(1), NOW).unwrap();
    let two = pool.acquire(Wide(2), NOW).unwrap();
    assert_eq!((&*one as *const Wide as usize % 256, one.0), (0, 1));
    assert_eq!((&*two as *const Wide as usize % 256, two.0), (0, 2));
    #[repr(align(8192))]
    #[allow(dead_code)] // only its alignment counts
    struct TooWide(u8);
    assert_eq!(Pool::<[TooWide; 2]>::create(&PoolOptions::new()).unwrap_err().name(), "EINVAL");
}

#[test]
fn a_pool_for_one_thread_is_no_pool_for_all() {
    let single = PoolOptions::new().flags(PoolFlags::SINGLE_THREAD);
    assert_eq!(Pool::<u8>::create(&single).unwrap_err().name(), "EINVAL");
    let single = IdsOptions::new().flags(PoolFlags::SINGLE_THREAD);
    assert_eq!(Ids::create(&single).unwrap_err().name(), "EINVAL");
}

#[test]
fn a_slot_goes_from_handle_to_handle() {
    let matrix = matrix();
    let made = Pool::<[u32; 4]>::create_in(&matrix, "pool", &PoolOptions::new()).unwrap();
    let other = Pool::<[u32; 4]>::attach(&matrix, "pool", &PoolOptions::new()).unwrap();
    let slot = made.acquire([1, 2, 3, 4], NOW).unwrap().into_raw();
    // SAFETY: the slot was given away above, and to nobody else.
    let mut mine = unsafe { other.adopt(slot) }.unwrap();
    mine[3] = 5;
    assert_eq!((*mine, mine.slot()), ([1, 2, 3, 5], slot));
    assert!(made.is_live(slot).unwrap());
    drop(mine);
    assert!(!made.is_live(slot).unwrap());
    // SAFETY: nobody has the slot, which is what is found out.
    assert!(unsafe { other.adopt(slot) }.unwrap_err().is(sys::WEIR_E_STALE));
    let error = Pool::<u32>::attach(&matrix, "pool", &PoolOptions::new()).unwrap_err();
    assert!(error.is(sys::WEIR_E_TYPE), "{error}");
    made.destroy().unwrap();
    assert!(other.acquire([0; 4], NOW).unwrap_err().error.is(sys::WEIR_E_RETIRED));
}

#[test]
fn slots_with_too_little_alignment_are_refused() {
    #[repr(C, align(128))]
    #[derive(Debug)]
    struct Wide([u8; 128]);
    // SAFETY: bytes.
    unsafe impl Plain for Wide {}
    let matrix = matrix();
    let narrow = PoolOptions::new().alignment(8).capacity(64);
    let made = Pool::<[u64; 16]>::create_in(&matrix, "pool", &narrow).unwrap();
    let pool = Pool::<Wide>::attach(&matrix, "pool", &PoolOptions::new()).unwrap();
    let all: Vec<_> = (0..64).map(|i| made.acquire([i; 16], NOW).unwrap()).collect();
    let odd = all.into_iter().find(|one| one.as_ptr() as usize % 128 != 0);
    drop(odd.expect("64 slots are not all aligned by chance")); // what is released last comes next
    assert!(pool.acquire(Wide([0; 128]), NOW).unwrap_err().error.is(sys::WEIR_E_TYPE));
    assert_eq!(live(&made), 0);
}

#[test]
fn many_at_once() {
    let matrix = matrix();
    let options = PoolOptions::new().capacity(10);
    let pool = Pool::<u64>::create_in(&matrix, "pool", &options).unwrap();
    let mut all = pool.acquire_many(100, NOW).unwrap();
    all.iter_mut().enumerate().for_each(|(i, one)| **one = i as u64);
    assert_eq!(all.iter().map(|one| **one).sum::<u64>(), 45);
    let (mut seen, owner) = (0, matrix.participant().unwrap());
    pool.walk(|slot| {
        assert_eq!(slot.owner, owner);
        seen += 1;
        if seen < 7 {
            Continue(())
        } else {
            Break(())
        }
    })
    .unwrap();
    assert_eq!((all.len(), seen, live(&pool)), (10, 7, 10));
    drop(all);
    assert_eq!(live(&pool.clone()), 0);
}

#[test]
fn numbers() {
    let options = IdsOptions::new().capacity(64).max_capacity(128).flags(PoolFlags::GROWABLE);
    let ids = Ids::create(&options).unwrap();
    let (one, two) = (ids.acquire().unwrap(), ids.acquire().unwrap());
    assert!(one != two && !ids.is_free(one).unwrap());
    ids.release(one).unwrap();
    assert!(ids.is_free(one).unwrap());
    assert!(ids.release(one).unwrap_err().is(sys::WEIR_E_STALE));
    ids.grow(1).unwrap();
    assert_eq!(ids.capacity(), 128);
}
