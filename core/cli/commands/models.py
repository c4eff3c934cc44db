"""The models that there are, and their settings."""

from __future__ import annotations

from typing import Any

from core.cli.terminal import Result
from core.models import MODELS
from core.runs import config


def models(options: Any) -> Result:
    found = [
        {
            "name": name,
            "about": (kind.__doc__ or "").split("\n\n")[0].strip(),
            "params": [info.to_json() for info in config.describe_settings(name)],
        }
        for name, kind in MODELS.items()
    ]
    lines = []
    for model in found:
        lines.append(f"{model['name']}: {' '.join(str(model['about']).split())}")
        for param in config.describe_settings(str(model["name"])):
            lines.append(f"  {param.name}={param.default}  {param.help}{_range(param)}")
    return {"models": found}, "\n".join(lines)


def _range(param: config.SettingInfo) -> str:
    if param.choices is not None:
        return f" ({', '.join(map(str, param.choices))})"
    return f" ({param.min} … {param.max})" if param.min is not None else ""
