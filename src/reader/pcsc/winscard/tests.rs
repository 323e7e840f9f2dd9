use super::*;

#[test]
fn a_name_of_any_letters_leads_back_to_its_units() {
    for name in ["Gemalto PC Twin 0", "Lecteur é ж 読取機 0", "\\\\?PnP?\\Notification", "🂡"] {
        let units: Vec<u16> = name.encode_utf16().collect();
        let ours = narrow(&units).unwrap();
        assert_eq!(ours.to_str(), Ok(name));
        assert_eq!(wide(&ours), [units, vec![0]].concat());
    }
}

#[test]
fn a_number_of_the_systems_own_comes_back_as_it_is() {
    assert_eq!(done(0), Ok(()));
    assert_eq!(done(6), Err(Code::WINDOWS_INVALID_HANDLE));
    assert_eq!(done(0x8010_001D_u32.cast_signed()), Err(Code::NO_SERVICE));
    assert_eq!(done(0x1234), Err(Code(0x1234)));
}
