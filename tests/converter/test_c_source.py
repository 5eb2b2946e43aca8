"""C sources of a bundle: compiled, read back, and the resolver checked against a stub of TFLM's header."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from converter import resolver
from converter.bundle import read_bundle
from converter.c_source import arena_bytes, data_header, data_source, export, sources
from converter.opset import BUILTINS, CUSTOM
from wire.errors import InputError, RefusedError

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
READER = r"""
#include <stdint.h>
#include <stdio.h>
#include "model_data.h"
static unsigned char arena[MODEL_ARENA_BYTES];
int main(void) {
  if ((uintptr_t)model_data % 16 != 0 || sizeof arena != MODEL_ARENA_BYTES) return 1;
  return fwrite(model_data, 1, sizeof model_data, stdout) == MODEL_DATA_BYTES ? 0 : 2;
}
"""
STUB = """
#pragma once
enum TfLiteStatus {{ kTfLiteOk, kTfLiteError }};
namespace tflite {{
template <unsigned int tOpCount> class MicroMutableOpResolver {{
 public:
{methods}
  unsigned int count = 0;
 private:
  TfLiteStatus Add() {{ return count++ < tOpCount ? kTfLiteOk : kTfLiteError; }}
}};
}}
"""


def compiler(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: the sources are not compiled")
    return found


def test_the_array_compiles_and_holds_the_file(bundle_dir: Path, tmp_path: Path):
    bundle = read_bundle(bundle_dir)
    made = export(bundle, tmp_path / "c")
    (tmp_path / "c" / "main.c").write_text(READER)
    program = tmp_path / "reader"
    files = [str(tmp_path / "c" / name) for name in ("main.c", "model_data.c")]
    subprocess.run([compiler("gcc"), "-std=c11", *WARNINGS, *files, "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, check=True)
    assert done.stdout == bundle.files["model.tflite"] == (tmp_path / "c/model.tflite").read_bytes()
    assert made.files == ["model.tflite", "model_data.c", "model_data.h", "model_ops.h"]
    assert made.arena_bytes == bundle.manifest.targets["cortex-m4"].ram_bytes


def test_the_resolver_has_room_for_exactly_the_operators(bundle_dir: Path, tmp_path: Path):
    bundle = read_bundle(bundle_dir)
    for name, data in sources(bundle).items():
        (tmp_path / name).write_bytes(data)
    stub = tmp_path / "tensorflow/lite/micro/micro_mutable_op_resolver.h"
    stub.parent.mkdir(parents=True)
    called = [*resolver.calls(bundle.manifest.ops), "AddUnused"]
    stub.write_text(
        STUB.format(methods="\n".join(f"  TfLiteStatus {c}() {{ return Add(); }}" for c in called))
    )
    (tmp_path / "main.cc").write_text(
        '#include "model_data.h"\n#include "model_ops.h"\nint main() { ModelOpResolver r; '
        "return RegisterModelOps(r) == kTfLiteOk && r.count == kModelOpCount "
        "&& r.AddUnused() == kTfLiteError ? 0 : 1; }"
    )
    command = [compiler("g++"), "-std=c++17", *WARNINGS, f"-I{tmp_path}", str(tmp_path / "main.cc")]
    subprocess.run([*command, "-o", str(tmp_path / "ops")], check=True)
    subprocess.run([str(tmp_path / "ops")], check=True)


def test_call_names():
    ops = ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_TO_SPACE_ND", "RELU6", "L2_POOL_2D"]
    assert resolver.calls([*ops, "CONV_2D", "PADV2", "SPLIT_V", "ADD_N", "REVERSE_V2"]) == [
        "AddAddN",
        "AddBatchToSpaceNd",
        "AddConv2D",
        "AddDepthwiseConv2D",
        "AddFullyConnected",
        "AddL2Pool2D",
        "AddPadV2",
        "AddRelu6",
        "AddReverseV2",
        "AddSplitV",
    ]
    assert resolver.calls(
        ["UNIDIRECTIONAL_SEQUENCE_LSTM", "CUSTOM SignalFftAutoScale", "CUSTOM ethos-u"]
    ) == [
        "AddEthosU",
        "AddFftAutoScale",
        "AddUnidirectionalSequenceLSTM",
    ]


def test_every_operator_of_tflm_has_one_call_of_its_own():
    named = [*BUILTINS, *(f"CUSTOM {name}" for name in CUSTOM)]
    calls = [resolver.calls([op])[0] for op in named]
    assert len(set(calls)) == len(named)
    assert all(call.isalnum() for call in calls)
    for op in ("WHERE", "CUSTOM mine", "OPERATOR_999"):
        with pytest.raises(RefusedError, match=op):
            resolver.calls([op])


def test_a_model_without_a_whole_line():
    assert data_source("t", bytes(range(13))).count("0x") == 13
    assert "MODEL_DATA_BYTES 13u" in data_header("t", 13, 160)
    assert resolver.header([]).count("kModelOpCount = 1;") == 1


def test_no_export_without_a_measured_arena_or_over_files(bundle_dir: Path, tmp_path: Path):
    bundle = read_bundle(bundle_dir)
    linux = {name: needs for name, needs in bundle.manifest.targets.items() if name.startswith("linux")}
    manifest = msgspec.structs.replace(bundle.manifest, targets=linux)
    bundle = dataclasses.replace(bundle, manifest=manifest)
    with pytest.raises(RefusedError, match="TFLM"):
        arena_bytes(bundle)
    (tmp_path / "here").write_text("x")
    with pytest.raises(InputError, match="already exists"):
        export(read_bundle(bundle_dir), tmp_path)


def test_the_command_exports(bundle_dir: Path, tmp_path: Path, monkeypatch, capsys):
    from tinyfleet import cli

    monkeypatch.setattr(
        sys, "argv", ["tinyfleet", "bundle", "export", str(bundle_dir), "--c", str(tmp_path / "c"), "--json"]
    )
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert not done.value.code
    data = json.loads(capsys.readouterr().out)
    assert data["operators"] == resolver.calls(["RESHAPE", "CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"])
    assert sorted(file.name for file in (tmp_path / "c").iterdir()) == data["files"]
