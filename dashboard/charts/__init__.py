"""DataFrame → plotly figure. No streamlit here; colours come from theme.py alone."""
