//! What a person reads in Chinese, and what stays English for machines.

use qpyflash_virtual::{
    AsrModule, AsrPackage, AtOptions, Chip, Mode, Scale, UnisocChip, UnisocModule, UnisocPackage,
};
use unicode_width::UnicodeWidthStr;

use crate::bench::{Bench, NEW, OLD, PATIENCE, Untouched};
use crate::harness::Ended;

/// A bench with a package for another submodel, too.
fn bench() -> Bench {
    let bench = Bench::new();
    let wrong = AsrPackage::generate("EC600NCNLFR01A01M16_OCPU_QPY", Chip::Asr1603, Scale::Small);
    bench.file("cnlf.zip", wrong.zip().unwrap());
    bench
}

/// Asserts the exit code and that every line is in stderr.
#[track_caller]
fn assert_says(ended: &Ended, code: i32, lines: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    for line in lines {
        assert!(ended.stderr.contains(line), "{line}\n{}", ended.stderr);
    }
}

/// Asserts that no English word is left, but for names, values, and what stands between quotes.
#[track_caller]
fn assert_is_chinese(text: &str, names: &[&str]) {
    let outside = text.split(['`', '\'']).step_by(2);
    let is_word = |word: &&str| word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase());
    let words =
        outside.flat_map(|part| part.split(|c: char| c.is_whitespace() || "：，；。（）()".contains(c)));
    let left: Vec<&str> = words
        .filter(is_word)
        .filter(|word| !names.contains(word))
        .collect();
    assert!(left.is_empty(), "{left:?}\n{text}");
}

#[test]
fn a_refusal() {
    let bench = bench();
    let module = bench.attach(AsrModule::builder(OLD));
    let untouched = Untouched::now(&module);
    let ended = bench.say("write cnlf.zip --lang zh").end();
    let lines = [
        "  比对固件包与模块\n",
        "错误：拒绝：`cnlf.zip` 是为 EC600N CNLF 编译的，而位于 1-4.2 ",
        &format!(" 的模块是 EC600NCNLA (AT: `{OLD}`)\n  没有写入任何内容\n"),
        "提示：这个模块使用 EC600N_CNLA 固件；用 `qpyflash resolve --oc EC600NCNLA DIR` 查找\n",
    ];
    assert_says(&ended, 6, &lines);
    assert_is_chinese(&ended.stderr, &[]);
    untouched.assert();
}

#[test]
fn a_silent_module() {
    let bench = bench();
    let silent = AtOptions {
        silent: true,
        ..AtOptions::default()
    };
    let _module = bench.attach(AsrModule::builder("EC600NCNLAR03A06M08").at(silent));
    let mut run = bench.say("identify").hasty();
    run.0.env("LANG", "zh_CN.UTF-8");
    let ended = run.end();
    assert_says(
        &ended,
        4,
        &[
            "错误：模块没有应答：发送 `AT`",
            "提示：请用 `--port` 选择模块的另一个端口",
        ],
    );
    assert_is_chinese(&ended.stderr, &[]);
}

#[test]
fn a_usage_error_and_help() {
    let bench = bench();
    let ended = bench.say("write fw.zip --verfy --lang zh").end();
    let lines = [
        "错误：出现意外的参数 '--verfy'\n",
        "\n用法：qpyflash write",
        "更多信息请使用 '--help'。\n",
    ];
    assert_says(&ended, 2, &lines);

    let help = bench.say("write --help --lang=zh").end();
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for line in [
        "把固件包写入模块\n",
        "\n参数：\n",
        "模块标签上的订购代码：`EC800MCNGA-I05-SGNSA`",
        "- none: 模块已处于下载模式：不发送任何 AT 字节，必须给出 `--oc`",
        "[默认值：115200]",
        "所有命令通用的选项：\n",
    ] {
        assert!(help.stdout.contains(line), "{line}\n{}", help.stdout);
    }
    let too_long: Vec<&str> = help.stdout.lines().filter(|line| line.width() > 100).collect();
    assert!(too_long.is_empty(), "{too_long:#?}");
}

#[test]
fn a_write() {
    let bench = bench();
    let module = bench.attach(AsrModule::builder(OLD));
    let mut run = bench.say("write fw.zip");
    run.0.env("LC_ALL", "zh_CN.UTF-8").env("LANG", "C");
    let ended = run.end();
    let lines = ["  进入下载模式\n", "警告：模块上的应用程序将会丢失\n", "  校验\n"];
    assert_says(&ended, 0, &lines);
    assert_is_chinese(&ended.stderr, &["boot"]);
    let confirmed = format!("已确认：模块原来是 `{OLD}`，现在报告 `{NEW}`");
    assert!(ended.stdout.starts_with("已写入：`"), "{}", ended.stdout);
    assert_eq!(ended.stdout.lines().last(), Some(confirmed.as_str()));
    assert_is_chinese(&ended.stdout, &[]);
    assert_eq!(module.revision().as_deref(), Some(NEW));

    let ends: Vec<usize> = ended
        .stderr
        .lines()
        .filter(|line| line.ends_with(" s"))
        .map(str::len)
        .collect();
    assert!(
        ends.len() > 13 && ends.windows(2).all(|pair| pair[0] == pair[1]),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_columns_of_a_table_stay_straight() {
    let bench = bench();
    let english = bench.say("inspect fw.zip").end();
    let chinese = bench.say("inspect fw.zip --lang zh").end();
    let partitions = [
        "bootloader",
        "ptable",
        "fwcerts",
        "apn",
        "dsp",
        "rfbin",
        "logo",
        "system",
        "updater",
    ];
    assert_is_chinese(&chinese.stdout, &partitions);
    assert!(chinese.stdout.contains("\n镜像\n"), "{}", chinese.stdout);
    let column = |line: &str| line.find("sha256 ").map(|at| line[..at].width());
    let columns = |ended: &Ended| ended.stdout.lines().map(column).collect::<Vec<_>>();
    assert_eq!(columns(&english), columns(&chinese));
}

#[test]
fn the_flag_beats_the_environment_and_english_is_the_default() {
    let bench = bench();
    for (line, variable, value, words) in [
        ("list", "LANG", "C.UTF-8", "no module is attached"),
        ("list", "LANG", "zh_CN.UTF-8", "没有连接模块"),
        ("list", "QPYFLASH_LANG", "zh", "没有连接模块"),
        ("list --lang en", "LANG", "zh_CN.UTF-8", "no module is attached"),
        ("list --lang en", "QPYFLASH_LANG", "zh", "no module is attached"),
    ] {
        let mut run = bench.say(line);
        run.0.env(variable, value);
        assert_eq!(run.end().stdout, words, "{line} {variable}={value}");
    }
    assert_eq!(bench.say("list").end().stdout, "no module is attached");
    assert_eq!(bench.say("list --lang fr").end().code, Some(2));
}

#[test]
fn what_machines_and_files_get_is_the_same_in_any_language() {
    let bench = bench();
    let _module = bench.attach(AsrModule::builder(OLD));
    for line in [
        "check cnlf.zip --json --quiet",
        "inspect fw.zip --json",
        "udev --quiet",
        "man",
        "completions bash",
    ] {
        let english = bench.say(line).end();
        let chinese = bench.say(&format!("{line} --lang zh")).end();
        let seconds = |ended: &Ended| {
            let lines = ended.stdout.lines().filter(|line| !line.contains("\"seconds\""));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(seconds(&english), seconds(&chinese), "{line}");
        assert_eq!(english.code, chinese.code, "{line}");
    }
    let events = bench.say("check cnlf.zip --jsonl --lang zh").end();
    let outcome = events.outcome();
    let message = outcome["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("refused: "), "{message}");
}

#[test]
fn a_backup_that_cannot_be_saved() {
    let bench = Bench::bare();
    let package = UnisocPackage::generate("EC800GCNLDR02A02M04_OCPU_QPY", UnisocChip::Uis8850, Scale::Small);
    bench.file(
        "fw.zip",
        package.public_bin_zip("QPY_OCPU_V0001_EC800G_CNLD_FW").unwrap(),
    );
    bench.file("taken", "a file where a folder should be");
    let builder = UnisocModule::builder(UnisocChip::Uis8850, "EC800GCNLDR02A01M04_OCPU_QPY");
    let module = builder.attach(&bench.bus).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    let ended = bench.say("write fw.zip --backup-dir taken --lang zh").end();
    let lines = [
        "错误：保存模块的 NV 项：备份无法保存：`taken/",
        "没有写入 flash（只有辅助代码装入了 RAM）\n",
        "提示：请指定一个有剩余空间且当前用户可写的备份文件夹：`--backup-dir DIR`\n",
    ];
    assert_says(&ended, 6, &lines);
}
