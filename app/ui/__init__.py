"""The page in the browser (Gradio): callbacks translate, the services know no Gradio."""
