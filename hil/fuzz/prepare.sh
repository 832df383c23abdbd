# For the scripts beside it: cargo-fuzz, and a corpus for every target from the kept inputs, and from the real firmware
# pieces beside the project where they are present.
vectors=${QPYFLASH_VECTORS:-../../../shared/vectors}
# libFuzzer's flags are unstable ones; a stable compiler takes them with this.
export RUSTC_BOOTSTRAP=1
# SQLite has one name twice.
export ASAN_OPTIONS=detect_odr_violation=0
command -v cargo-fuzz >/dev/null || cargo install --locked --quiet cargo-fuzz
# libFuzzer is C++.
command -v c++ >/dev/null || { apt-get update -qq && apt-get install -y -qq g++; }

seed() { # target files...
    for file in "${@:2}"; do
        if [ -f "$file" ]; then cp "$file" "fuzz/corpus/$1/"; fi
    done
}
for kept in corpus/*.txt; do
    target=$(basename "$kept" .txt)
    mkdir -p "fuzz/corpus/$target"
    number=0
    while read -r hex; do
        number=$((number + 1))
        printf '%b' "$(sed 's/../\\x&/g' <<<"$hex")" >"fuzz/corpus/$target/kept-$number"
    done <"$kept"
done
seed asr_sparse "$vectors"/asr/sparse/*.bin
seed asr_tables "$vectors"/asr/sdk/*.bin
seed asr_fip "$vectors"/asr/sdk/*/*.img
seed asr_download_json "$vectors"/asr/sdk/download.json
seed unisoc_pac "$vectors"/unisoc/demo8910.pac
seed eigencomm_binpkg "$vectors"/eigencomm/config.ini
seed eigencomm_plan "$vectors"/eigencomm/config.ini
