"""The types of options are written twice, and must not differ."""

import inspect

import hlo2onnx
from hlo2onnx._options import FunctionOptions, OptionFields


def annotations(of):
    return {name: getattr(kind, "__forward_arg__", kind) for name, kind in of.__annotations__.items()}


def test_keyword_arguments_are_the_fields():
    assert annotations(OptionFields) == annotations(hlo2onnx.Options)


def test_keyword_arguments_of_functions():
    parameters = inspect.signature(hlo2onnx.to_onnx).parameters.values()
    keywords = {kind.name: kind.annotation for kind in parameters if kind.kind == kind.KEYWORD_ONLY}
    del keywords["return_mode"], keywords["output_path"]
    assert annotations(FunctionOptions) == keywords


def test_members_of_options_are_fields():
    assert {name for name in vars(hlo2onnx.Options()) if not name.startswith("_")} == set(annotations(OptionFields))
    assert not [name for name, member in vars(hlo2onnx.Options).items() if callable(member) and name[0] != "_"]
